package main

import (
	"math"
	"time"
)

// histogram counts times in steps of about 2 %, as bench/processes/histogram.mjs does.
type histogram [1024]uint32

const stepsPerDoubling = 32

func (h *histogram) add(d time.Duration) {
	us := max(float64(d.Nanoseconds())/1e3, 1)
	h[min(int(math.Log2(us)*stepsPerDoubling), len(h)-1)]++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other {
		h[i] += n
	}
}

// percentile is in microseconds.
func (h *histogram) percentile(p float64) float64 {
	var total, seen uint64
	for _, n := range h {
		total += uint64(n)
	}
	for i, n := range h {
		seen += uint64(n)
		if n > 0 && float64(seen) >= p*float64(total) {
			return math.Exp2((float64(i) + 0.5) / stepsPerDoubling)
		}
	}
	return 0
}
