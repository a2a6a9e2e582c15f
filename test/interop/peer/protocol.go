package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"storj.io/drpc/drpcerr"
)

// fields are the members of a result or event.
type fields map[string]any

// envelope is what every command has; each argument type embeds it.
type envelope struct {
	ID json.RawMessage `json:"id"`
	Op string          `json:"op"`
}

// command runs one operation on the text of its request.
type command func(p *peer, line []byte) (fields, error)

// typed makes a command of a function with an argument type. A member that the
// type does not have is an error, so that a misspelt option cannot pass unseen.
func typed[A any](run func(p *peer, a A) (fields, error)) command {
	return func(p *peer, line []byte) (fields, error) {
		var a A
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&a); err != nil {
			return nil, fmt.Errorf("arguments: %w", err)
		}
		return run(p, a)
	}
}

// commands are the operations by name. They are filled in where they are
// written: each file of operations has an init function.
var commands = map[string]command{}

// peer is the state of the process.
type peer struct {
	types *schema

	outMu sync.Mutex
	out   io.Writer

	mu      sync.Mutex
	handles map[int]any
	next    int
}

func newPeer(types *schema, out io.Writer) *peer {
	return &peer{types: types, out: out, handles: map[int]any{}}
}

// handle runs the command in line and writes its result.
func (p *peer) handle(line []byte) {
	var head envelope
	result, err := func() (result fields, err error) {
		defer func() {
			if v := recover(); v != nil {
				result, err = nil, fmt.Errorf("panic: %v", v)
			}
		}()
		if err := json.Unmarshal(line, &head); err != nil {
			return nil, fmt.Errorf("not a command: %w", err)
		}
		run, ok := commands[head.Op]
		if !ok {
			return nil, fmt.Errorf("unknown op %q", head.Op)
		}
		return run(p, line)
	}()
	out := fields{}
	if err != nil {
		result = failureFields(err)
	}
	for k, v := range result {
		out[k] = v
	}
	out["id"], out["ok"] = head.ID, err == nil
	p.write(out)
}

// event writes a notice that is no answer to a command.
func (p *peer) event(name string, more fields) {
	out := fields{"event": name}
	for k, v := range more {
		out[k] = v
	}
	p.write(out)
}

func (p *peer) write(v fields) {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		line.Reset()
		_ = enc.Encode(fields{"id": v["id"], "ok": false, "error": "result: " + err.Error()})
	}
	p.outMu.Lock()
	defer p.outMu.Unlock()
	if _, err := p.out.Write(line.Bytes()); err != nil {
		os.Exit(1) // nobody listens any more
	}
}

// logger makes each line of a library's log an event, with more members.
func (p *peer) logger(source string, more func() fields) *log.Logger {
	return log.New(logWriter(func(line string) {
		out := more()
		out["source"], out["line"] = source, line
		p.event("log", out)
	}), "", 0)
}

type logWriter func(line string)

func (w logWriter) Write(b []byte) (int, error) {
	w(string(bytes.TrimRight(b, "\n")))
	return len(b), nil
}

// reserve gives out a handle before there is anything to name.
func (p *peer) reserve() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	return p.next
}

func (p *peer) bind(handle int, v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handles[handle] = v
}

// add names a thing.
func (p *peer) add(v any) int {
	handle := p.reserve()
	p.bind(handle, v)
	return handle
}

// lookup finds the thing of type T that a handle names. A handle goes on naming
// its thing after that has been closed.
func lookup[T any](p *peer, handle int) (T, error) {
	p.mu.Lock()
	v := p.handles[handle]
	p.mu.Unlock()
	t, ok := v.(T)
	switch {
	case v == nil:
		return t, fmt.Errorf("no handle %d", handle)
	case !ok:
		return t, fmt.Errorf("handle %d is %s, which this op is not for", handle, kindOf(v))
	}
	return t, nil
}

func kindOf(v any) string {
	if k, ok := v.(interface{ kind() string }); ok {
		return k.kind()
	}
	return fmt.Sprintf("a %T", v)
}

// failure is an error whose result has more members.
type failure struct {
	error
	more fields
}

func (f *failure) Unwrap() error { return f.error }

// failureFields are the members of an error result: error, code where dRPC gave
// one, timeout where a time limit was the cause.
func failureFields(err error) fields {
	out := fields{"error": err.Error()}
	if code := drpcerr.Code(err); code != 0 {
		out["code"] = strconv.FormatUint(code, 10)
	}
	var timed net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout() {
		out["timeout"] = true
	}
	var f *failure
	if errors.As(err, &f) {
		for k, v := range f.more {
			out[k] = v
		}
	}
	return out
}

// millis is a context with a time limit, or none for zero.
func millis(ms int) (context.Context, context.CancelFunc) {
	if ms <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}

// deadline is the time ms from now, or none for zero.
func deadline(ms int) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(ms) * time.Millisecond)
}

// inbox gives a time limit to a receive that has none: a receive that outlasts
// its caller goes on, and what it gets is kept for the next caller. Nothing is
// received ahead of being asked for, so flow control stays as it is.
type inbox[T any] struct {
	receive func() (T, error)
	turn    chan struct{}
	pending chan received[T] // of the receive under way, guarded by turn
}

type received[T any] struct {
	value T
	err   error
}

func newInbox[T any](receive func() (T, error)) *inbox[T] {
	return &inbox[T]{receive: receive, turn: make(chan struct{}, 1)}
}

// begin starts a receive unless one is under way; the caller has the turn.
func (b *inbox[T]) begin() chan received[T] {
	if b.pending == nil {
		c := make(chan received[T], 1)
		go func() {
			v, err := b.receive()
			c <- received[T]{v, err}
		}()
		b.pending = c
	}
	return b.pending
}

func (b *inbox[T]) next(ctx context.Context) (T, error) {
	var none T
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-b.turn }()
	select {
	case r := <-b.begin():
		b.pending = nil
		return r.value, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// prime sees to it that a receive is under way.
func (b *inbox[T]) prime() {
	select {
	case b.turn <- struct{}{}:
		b.begin()
		<-b.turn
	default: // whoever has the turn is receiving
	}
}
