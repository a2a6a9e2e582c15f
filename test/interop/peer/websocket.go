package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/coder/websocket"
)

type wsMessage struct {
	typ  websocket.MessageType
	data []byte
}

// readMessages makes a link a raw WebSocket.
func (l *link) readMessages() {
	l.messages = newInbox(func() (wsMessage, error) {
		typ, data, err := l.ws.Read(context.Background())
		if err != nil {
			l.end(err)
		}
		return wsMessage{typ, data}, err
	})
}

// webSocket finds a link with a WebSocket, a bare one if need be.
func (p *peer) webSocket(handle int, bare bool) (*link, error) {
	l, err := lookup[*link](p, handle)
	switch {
	case err != nil:
	case l.ws == nil:
		err = fmt.Errorf("handle %d has no WebSocket", handle)
	case bare && l.messages == nil:
		err = fmt.Errorf("handle %d is %s, whose messages yamux reads and writes", handle, l.kind())
	}
	return l, err
}

type wsWriteArgs struct {
	envelope
	Handle    int    `json:"handle"`
	Type      string `json:"type"` // binary (default) or text
	DataB64   []byte `json:"dataB64"`
	Fragments int    `json:"fragments"`
	TimeoutMs int    `json:"timeoutMs"`
}

type wsCloseArgs struct {
	envelope
	Handle int    `json:"handle"`
	Code   int    `json:"code"` // 1000 if left out
	Reason string `json:"reason"`
}

func init() {
	commands["wsWrite"] = typed(func(p *peer, a wsWriteArgs) (fields, error) {
		l, err := p.webSocket(a.Handle, true)
		if err != nil {
			return nil, err
		}
		typ := websocket.MessageBinary
		switch a.Type {
		case "", "binary":
		case "text":
			typ = websocket.MessageText
		default:
			return nil, errors.New("type is binary or text")
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		if a.Fragments <= 1 {
			return nil, l.ws.Write(ctx, typ, a.DataB64)
		}
		w, err := l.ws.Writer(ctx, typ)
		if err != nil {
			return nil, err
		}
		// The library ends the message with an empty frame of its own.
		rest := a.DataB64
		for left := a.Fragments; left > 0; left-- {
			n := len(rest) / left
			if _, err := w.Write(rest[:n]); err != nil {
				return nil, err
			}
			rest = rest[n:]
		}
		return nil, w.Close()
	})
	commands["wsRead"] = typed(func(p *peer, a waitArgs) (fields, error) {
		l, err := p.webSocket(a.Handle, true)
		if err != nil {
			return nil, err
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		m, err := l.messages.next(ctx)
		if err != nil {
			if c := l.watch.closeFrame(); c != nil && !errors.Is(err, context.DeadlineExceeded) {
				return fields{"closeCode": c.code, "reason": c.reason}, nil
			}
			return nil, err
		}
		typ := "binary"
		if m.typ == websocket.MessageText {
			typ = "text"
		}
		return fields{"type": typ, "dataB64": m.data}, nil
	})
	commands["wsPing"] = typed(func(p *peer, a waitArgs) (fields, error) {
		l, err := p.webSocket(a.Handle, false)
		if err != nil {
			return nil, err
		}
		if l.messages != nil {
			l.messages.prime() // the pong is only seen while something reads
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		return nil, l.ws.Ping(ctx)
	})
	commands["wsClose"] = typed(func(p *peer, a wsCloseArgs) (fields, error) {
		l, err := p.webSocket(a.Handle, false)
		if err != nil {
			return nil, err
		}
		if a.Code == 0 {
			a.Code = int(websocket.StatusNormalClosure)
		}
		l.closing.Store(true)
		err = l.ws.Close(websocket.StatusCode(a.Code), a.Reason)
		if l.messages != nil {
			l.end(err)
		}
		return nil, err
	})
	commands["wsCount"] = typed(func(p *peer, a handleArgs) (fields, error) {
		l, err := p.webSocket(a.Handle, false)
		if err != nil {
			return nil, err
		}
		return fields{"received": l.watch.counted()}, nil
	})
}
