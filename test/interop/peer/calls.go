package main

import (
	"context"
	"maps"
	"sync"
)

const (
	callsKept    = 2000
	requestsKept = 200      // of one call
	bodyKept     = 64 << 10 // larger ones have a digest only
)

// callLog is what a server was asked.
type callLog struct {
	mu     sync.Mutex
	calls  []*call
	total  int
	counts map[string]int
	number int
}

// call is one rpc that came in.
type call struct {
	number   int
	rpc      string
	session  int
	metadata map[string]string
	requests []request
	received int    // requests, kept or not
	outcome  string // running, ok, canceled or error
	err      string
}

type request struct {
	body   []byte // nil if too large
	digest fields
}

func (g *callLog) begin(rpc string, session int, metadata map[string]string) *call {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.number++
	c := &call{number: g.number, rpc: rpc, session: session, metadata: maps.Clone(metadata), outcome: "running"}
	if len(g.calls) == callsKept {
		g.calls = append(g.calls[:0], g.calls[1:]...)
	}
	g.calls = append(g.calls, c)
	g.total++
	g.counts[rpc]++
	return c
}

func (g *callLog) request(c *call, b []byte) {
	r := request{digest: digest(b)}
	if len(b) <= bodyKept {
		r.body = append([]byte{}, b...)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(c.requests) == requestsKept {
		c.requests = c.requests[1:]
	}
	c.requests = append(c.requests, r)
	c.received++
}

// finish notes how the handler ended: canceled if the other side, or the end of
// the connection, ended it.
func (g *callLog) finish(c *call, ctx context.Context, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		c.outcome = "ok"
	case ctx.Err() != nil:
		c.outcome = "canceled"
	default:
		c.outcome = "error"
	}
	if err != nil {
		c.err = err.Error()
	}
}

func (g *callLog) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls, g.total = nil, 0
	clear(g.counts)
}

// list describes the calls of an rpc, or of all.
func (g *callLog) list(types *schema, rpc string) fields {
	g.mu.Lock()
	defer g.mu.Unlock()
	calls := []fields{}
	for _, c := range g.calls {
		if rpc != "" && c.rpc != rpc {
			continue
		}
		out := fields{"call": c.number, "rpc": c.rpc, "session": c.session, "outcome": c.outcome, "received": c.received}
		if len(c.metadata) > 0 {
			out["metadata"] = c.metadata
		}
		if c.err != "" {
			out["error"] = c.err
		}
		var requests []fields
		for _, r := range c.requests {
			one := maps.Clone(r.digest)
			if typ := types.input(c.rpc); r.body != nil && typ != nil {
				if text, err := types.toJSON(r.body, typ); err == nil {
					one["json"] = text
				}
			}
			requests = append(requests, one)
		}
		if m := types.methods[c.rpc]; m != nil && m.IsStreamingClient() {
			out["requests"] = requests
		} else if len(requests) > 0 {
			maps.Copy(out, requests[0])
		}
		calls = append(calls, out)
	}
	return fields{"calls": calls, "total": g.total, "counts": maps.Clone(g.counts)}
}

type callsArgs struct {
	envelope
	Handle int    `json:"handle"`
	RPC    string `json:"rpc"`
}

func init() {
	commands["calls"] = typed(func(p *peer, a callsArgs) (fields, error) {
		s, err := lookup[*server](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return s.log.list(p.types, a.RPC), nil
	})
	commands["resetCalls"] = typed(func(p *peer, a handleArgs) (fields, error) {
		s, err := lookup[*server](p, a.Handle)
		if err != nil {
			return nil, err
		}
		s.log.reset()
		return nil, nil
	})
}
