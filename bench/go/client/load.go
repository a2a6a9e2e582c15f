package main

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"agentwire.test/bench/control"
)

// result is what a run gives.
type result struct {
	Count     int     `json:"count"`
	ElapsedMs float64 `json:"elapsedMs"`
	CPUMs     float64 `json:"cpuMs"`
	P50Us     float64 `json:"p50Us"`
	P99Us     float64 `json:"p99Us"`
}

// pattern is a payload.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*31 + 7)
	}
	return b
}

// verify calls a few times and looks at every byte.
func verify(c *connection) error {
	same := func(want []byte) func([]byte) error {
		return func(got []byte) error {
			if !bytes.Equal(got, want) {
				return errors.New("wrong answer: other bytes came back")
			}
			return nil
		}
	}
	for _, size := range []int{0, 1, 10_240} {
		want := pattern(size)
		got, err := c.unary(want)
		if err == nil {
			err = same(want)(got)
		}
		if err != nil {
			return err
		}
	}
	want := pattern(65_536)
	return c.stream(want, 20, same(want))
}

// runUnary keeps so many callers busy for so long.
func runUnary(c *connection, a control.Command) (result, error) {
	end := time.Now().Add(time.Duration(a.Ms * float64(time.Millisecond)))
	return inParallel(a.Callers, func(h *histogram) (int, error) {
		payload := pattern(a.Size)
		count := 0
		for then := time.Now(); then.Before(end); count++ {
			if _, err := c.unary(payload); err != nil {
				return count, err
			}
			now := time.Now()
			h.add(now.Sub(then))
			then = now
		}
		return count, nil
	})
}

// burst makes so many calls.
func burst(c *connection, a control.Command) (result, error) {
	return inParallel(a.Callers, func(*histogram) (int, error) {
		payload := pattern(a.Size)
		for range a.Calls / a.Callers {
			if _, err := c.unary(payload); err != nil {
				return 0, err
			}
		}
		return a.Calls / a.Callers, nil
	})
}

// runStream takes one stream after the other for so long; it counts messages.
func runStream(c *connection, a control.Command) (result, error) {
	end := time.Now().Add(time.Duration(a.Ms * float64(time.Millisecond)))
	return inParallel(1, func(h *histogram) (int, error) {
		payload := pattern(a.Size)
		count := 0
		for then := time.Now(); then.Before(end); {
			if err := c.stream(payload, a.Count, nil); err != nil {
				return count, err
			}
			count += int(a.Count)
			now := time.Now()
			h.add(now.Sub(then))
			then = now
		}
		return count, nil
	})
}

// inParallel runs callers and adds up what they have.
func inParallel(callers int, caller func(*histogram) (int, error)) (result, error) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		all   histogram
		out   result
		first error
	)
	cpu, start := control.CPUMs(), time.Now()
	for range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var h histogram
			count, err := caller(&h)
			mu.Lock()
			defer mu.Unlock()
			out.Count += count
			all.merge(&h)
			if first == nil {
				first = err
			}
		}()
	}
	wg.Wait()
	out.ElapsedMs = float64(time.Since(start).Nanoseconds()) / 1e6
	out.CPUMs = control.CPUMs() - cpu
	out.P50Us, out.P99Us = all.percentile(0.5), all.percentile(0.99)
	return out, first
}
