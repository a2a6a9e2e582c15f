package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/hashicorp/yamux"
	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmanager"
	"storj.io/drpc/drpcstream"
	"storj.io/drpc/drpcwire"
)

// maxMessage is the largest dRPC message that is taken.
const maxMessage = 4 << 20

// managerOptions are what every dRPC conversation is run with.
func managerOptions(splitSize int) drpcmanager.Options {
	return drpcmanager.Options{
		Reader: drpcwire.ReaderOptions{MaximumBufferSize: maxMessage},
		Stream: drpcstream.Options{SplitSize: splitSize},
	}
}

// yamuxArgs change yamux's defaults. Zero switches off what can be switched off.
type yamuxArgs struct {
	MaxWindow      *uint32 `json:"maxWindow"`
	KeepAliveMs    *int    `json:"keepAliveMs"`
	WriteTimeoutMs *int    `json:"writeTimeoutMs"`
	OpenTimeoutMs  *int    `json:"openTimeoutMs"`
	CloseTimeoutMs *int    `json:"closeTimeoutMs"`
	AcceptBacklog  *int    `json:"acceptBacklog"`
}

func (a yamuxArgs) config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = nil
	set := func(d *time.Duration, ms *int) {
		if ms != nil {
			*d = time.Duration(*ms) * time.Millisecond
		}
	}
	if a.MaxWindow != nil {
		c.MaxStreamWindowSize = *a.MaxWindow
	}
	if a.KeepAliveMs != nil && *a.KeepAliveMs == 0 {
		c.EnableKeepAlive = false
	} else {
		set(&c.KeepAliveInterval, a.KeepAliveMs)
	}
	set(&c.ConnectionWriteTimeout, a.WriteTimeoutMs)
	set(&c.StreamOpenTimeout, a.OpenTimeoutMs)
	set(&c.StreamCloseTimeout, a.CloseTimeoutMs)
	if a.AcceptBacklog != nil {
		c.AcceptBacklog = *a.AcceptBacklog
	}
	return c
}

// verifyYamux finds settings that yamux would refuse when a session starts.
func verifyYamux(a yamuxArgs) error {
	c := a.config()
	c.LogOutput = io.Discard
	return yamux.VerifyConfig(c)
}

// link is one connection to the other side and what runs on it, which is one of
// a yamux session, a dRPC conversation, or bare WebSocket messages.
type link struct {
	handle int
	server *server // on the serving side

	tcp   net.Conn // the connection under it all, or a Unix socket
	ws    *websocket.Conn
	watch *wsWatch

	mux       *yamux.Session
	accepted  bool // something accepts the session's streams already
	splitSize int

	plain    *drpcconn.Conn
	messages *inbox[wsMessage]

	closing atomic.Bool // this side has begun to end it
	once    sync.Once
	over    chan struct{} // closed at the end
	err     error         // why it ended
}

func (l *link) kind() string {
	switch {
	case l.mux != nil:
		return "a session"
	case l.messages != nil:
		return "a raw WebSocket"
	}
	return "a connection without yamux"
}

// startMux runs yamux on conn.
func (p *peer) startMux(l *link, conn net.Conn, args yamuxArgs, faults wireFaults) error {
	config := args.config()
	config.Logger = p.logger("yamux", func() fields {
		if l.closing.Load() {
			return fields{"session": l.handle, "closing": true}
		}
		return fields{"session": l.handle}
	})
	start := yamux.Client
	if l.server != nil {
		start = yamux.Server
	}
	mux, err := start(faults.wrap(conn), config)
	if err != nil {
		return err
	}
	l.mux = mux
	go func() {
		<-mux.CloseChan()
		l.end(sessionError(mux))
	}()
	return nil
}

// sessionError is why a session that has ended did. Streams that still wait to
// be accepted fail too, but do not tell why.
func sessionError(mux *yamux.Session) error {
	for range 300 { // more than can wait
		if _, err := mux.Accept(); err != nil && !errors.Is(err, yamux.ErrSessionShutdown) {
			return err
		}
	}
	return yamux.ErrSessionShutdown
}

func (l *link) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.over)
	})
}

// ending is how the link ended, for results and events.
func (l *link) ending() fields {
	out := fields{}
	if l.err != nil {
		out["error"] = l.err.Error()
	}
	if c := l.watch.closeFrame(); c != nil {
		out["closeCode"], out["reason"] = c.code, c.reason
	}
	return out
}

// shut closes what runs on the link and with it the connection.
func (l *link) shut() error {
	l.closing.Store(true)
	switch {
	case l.mux != nil:
		return l.mux.Close()
	case l.plain != nil:
		return l.plain.Close()
	case l.ws != nil:
		return l.ws.CloseNow()
	}
	return l.tcp.Close()
}

// abort cuts the connection: TCP says RST.
func (l *link) abort() error {
	l.closing.Store(true)
	if t, ok := l.tcp.(*net.TCPConn); ok {
		if err := t.SetLinger(0); err != nil {
			return err
		}
	}
	return l.tcp.Close()
}

// open opens a yamux stream. The library's own Open cannot be interrupted: when
// it comes too late its stream is closed again.
func (l *link) open(ctx context.Context) (*yamux.Stream, error) {
	type opened struct {
		stream *yamux.Stream
		err    error
	}
	c := make(chan opened, 1)
	go func() {
		st, err := l.mux.OpenStream()
		c <- opened{st, err}
	}()
	select {
	case o := <-c:
		return o.stream, o.err
	case <-ctx.Done():
		go func() {
			if o := <-c; o.err == nil {
				_ = o.stream.Close()
			}
		}()
		return nil, fmt.Errorf("open a stream: %w", ctx.Err())
	}
}

// rpcConn is a dRPC connection for one rpc and what to do with it afterwards:
// on a session it has a stream of its own.
func (l *link) rpcConn(ctx context.Context) (*drpcconn.Conn, func() error, error) {
	switch {
	case l.mux != nil:
		st, err := l.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		conn := drpcconn.NewWithOptions(st, drpcconn.Options{Manager: managerOptions(l.splitSize)})
		return conn, conn.Close, nil
	case l.plain != nil:
		return l.plain, func() error { return nil }, nil
	}
	return nil, nil, errors.New("this connection carries no dRPC from this side")
}

// session finds a link with yamux.
func (p *peer) session(handle int) (*link, error) {
	l, err := lookup[*link](p, handle)
	if err == nil && l.mux == nil {
		err = fmt.Errorf("handle %d is %s, without yamux", handle, l.kind())
	}
	return l, err
}

type handleArgs struct {
	envelope
	Handle int `json:"handle"`
}

type waitArgs struct {
	envelope
	Handle    int `json:"handle"`
	TimeoutMs int `json:"timeoutMs"`
}

func init() {
	commands["ping"] = typed(func(p *peer, a handleArgs) (fields, error) {
		l, err := p.session(a.Handle)
		if err != nil {
			return nil, err
		}
		rtt, err := l.mux.Ping()
		if err != nil {
			return nil, err
		}
		return fields{"rttUs": rtt.Microseconds()}, nil
	})
	commands["goAway"] = typed(func(p *peer, a handleArgs) (fields, error) {
		l, err := p.session(a.Handle)
		if err != nil {
			return nil, err
		}
		return nil, l.mux.GoAway()
	})
	commands["numStreams"] = typed(func(p *peer, a handleArgs) (fields, error) {
		l, err := p.session(a.Handle)
		if err != nil {
			return nil, err
		}
		return fields{"streams": l.mux.NumStreams()}, nil
	})
	commands["close"] = typed(func(p *peer, a handleArgs) (fields, error) {
		it, err := lookup[interface{ shut() error }](p, a.Handle)
		if err != nil {
			return nil, err
		}
		if err := it.shut(); err != nil && !errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		return nil, nil
	})
	commands["closed"] = typed(func(p *peer, a waitArgs) (fields, error) {
		l, err := lookup[*link](p, a.Handle)
		if err != nil {
			return nil, err
		}
		if l.messages != nil {
			l.messages.prime() // the end is only seen while something reads
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		select {
		case <-l.over:
		case <-ctx.Done():
			return fields{"closed": false}, nil
		}
		out := l.ending()
		// A result's error member means that the command failed.
		if text, ok := out["error"]; ok {
			out["cause"] = text
			delete(out, "error")
		}
		out["closed"] = true
		return out, nil
	})
	commands["tcpAbort"] = typed(func(p *peer, a handleArgs) (fields, error) {
		l, err := lookup[*link](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return nil, l.abort()
	})
}

// isEnd says whether an error is just the end of what was read.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) ||
		errors.Is(err, yamux.ErrSessionShutdown) || errors.Is(err, yamux.ErrStreamClosed)
}
