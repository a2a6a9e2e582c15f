package main

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	"storj.io/drpc"
	"storj.io/drpc/drpcerr"
	"storj.io/drpc/drpcmetadata"
)

type callArgs struct {
	envelope
	payload
	Handle        int               `json:"handle"`
	RPC           string            `json:"rpc"`
	Metadata      map[string]string `json:"metadata"`
	TimeoutMs     int               `json:"timeoutMs"`
	CancelAfterMs int               `json:"cancelAfterMs"`
	Digest        bool              `json:"digest"`
}

type callManyArgs struct {
	callArgs
	Count       int `json:"count"`
	Concurrency int `json:"concurrency"`
}

// invoke makes one unary call, on a stream of its own where there is yamux.
func (a callArgs) invoke(l *link, in []byte) ([]byte, error) {
	ctx, cancel := millis(a.TimeoutMs)
	defer cancel()
	if a.CancelAfterMs > 0 {
		defer time.AfterFunc(time.Duration(a.CancelAfterMs)*time.Millisecond, cancel).Stop()
	}
	conn, release, err := l.rpcConn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = release() }()
	var out body
	if err := conn.Invoke(drpcmetadata.AddPairs(ctx, a.Metadata), a.RPC, rawEncoding{}, &body{in}, &out); err != nil {
		return nil, err
	}
	return out.b, nil
}

// rpcStream is a streaming rpc of this side.
type rpcStream struct {
	rpc    string
	stream drpc.Stream
	cancel context.CancelFunc
	inbox  *inbox[[]byte]
}

func (*rpcStream) kind() string { return "an rpc stream" }

type streamArgs struct {
	envelope
	Handle    int               `json:"handle"`
	RPC       string            `json:"rpc"`
	Metadata  map[string]string `json:"metadata"`
	TimeoutMs int               `json:"timeoutMs"` // for the whole stream
}

type sendArgs struct {
	envelope
	payload
	Handle    int `json:"handle"`
	TimeoutMs int `json:"timeoutMs"`
}

type recvArgs struct {
	envelope
	Handle    int  `json:"handle"`
	TimeoutMs int  `json:"timeoutMs"`
	Digest    bool `json:"digest"`
}

// openRPC starts a streaming rpc. Where there is yamux its stream is closed when
// the rpc is over.
func openRPC(l *link, a streamArgs) (*rpcStream, error) {
	ctx, cancel := millis(a.TimeoutMs)
	conn, release, err := l.rpcConn(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	st, err := conn.NewStream(drpcmetadata.AddPairs(ctx, a.Metadata), a.RPC, rawEncoding{})
	if err != nil {
		cancel()
		_ = release()
		return nil, err
	}
	go func() {
		<-st.Context().Done()
		_ = release()
	}()
	return &rpcStream{a.RPC, st, cancel, newInbox(func() ([]byte, error) {
		var m body
		err := st.MsgRecv(&m, rawEncoding{})
		return m.b, err
	})}, nil
}

func init() {
	commands["call"] = typed(func(p *peer, a callArgs) (fields, error) {
		l, err := lookup[*link](p, a.Handle)
		if err != nil {
			return nil, err
		}
		in, err := p.types.encode(a.payload, p.types.input(a.RPC))
		if err != nil {
			return nil, err
		}
		out, err := a.invoke(l, in)
		if err != nil {
			return nil, err
		}
		return p.types.describe(out, p.types.output(a.RPC), a.Digest), nil
	})
	commands["callMany"] = typed(callMany)
	commands["stream"] = typed(func(p *peer, a streamArgs) (fields, error) {
		l, err := lookup[*link](p, a.Handle)
		if err != nil {
			return nil, err
		}
		s, err := openRPC(l, a)
		if err != nil {
			return nil, err
		}
		return fields{"handle": p.add(s)}, nil
	})
	commands["send"] = typed(func(p *peer, a sendArgs) (fields, error) {
		s, err := lookup[*rpcStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		in, err := p.types.encode(a.payload, p.types.input(s.rpc))
		if err != nil {
			return nil, err
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		sent := make(chan error, 1)
		go func() { sent <- s.stream.MsgSend(&body{in}, rawEncoding{}) }()
		select {
		case err := <-sent:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err() // the send goes on
		}
	})
	commands["recv"] = typed(func(p *peer, a recvArgs) (fields, error) {
		s, err := lookup[*rpcStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		m, err := s.inbox.next(ctx)
		if errors.Is(err, io.EOF) {
			return fields{"eof": true}, nil
		}
		if err != nil {
			return nil, err
		}
		return p.types.describe(m, p.types.output(s.rpc), a.Digest), nil
	})
	commands["closeSend"] = typed(func(p *peer, a handleArgs) (fields, error) {
		s, err := lookup[*rpcStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return nil, s.stream.CloseSend()
	})
	commands["closeStream"] = typed(func(p *peer, a handleArgs) (fields, error) {
		s, err := lookup[*rpcStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return nil, s.stream.Close()
	})
	commands["cancel"] = typed(func(p *peer, a handleArgs) (fields, error) {
		s, err := lookup[*rpcStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		s.cancel()
		return nil, nil
	})
}

// callMany makes the same call count times, concurrency of them at a time.
func callMany(p *peer, a callManyArgs) (fields, error) {
	l, err := lookup[*link](p, a.Handle)
	if err != nil {
		return nil, err
	}
	in, err := p.types.encode(a.payload, p.types.input(a.RPC))
	if err != nil {
		return nil, err
	}
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex
		good     int
		received int
		bad      int
		first    error
	)
	turns := make(chan struct{}, max(a.Count, 0))
	for range a.Count {
		turns <- struct{}{}
	}
	close(turns)
	start := time.Now()
	for range max(a.Concurrency, 1) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range turns {
				out, err := a.invoke(l, in)
				mu.Lock()
				if err == nil {
					good++
					received += len(out)
				} else {
					bad++
					if first == nil {
						first = err
					}
				}
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	out := fields{"succeeded": good, "failed": bad, "bytes": received, "elapsedUs": time.Since(start).Microseconds()}
	if first != nil {
		out["firstError"] = first.Error()
		if code := drpcerr.Code(first); code != 0 {
			out["firstCode"] = strconv.FormatUint(code, 10)
		}
	}
	return out, nil
}
