package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/hashicorp/yamux"
)

// muxStream is a yamux stream that commands read and write.
type muxStream struct{ *yamux.Stream }

func (muxStream) kind() string { return "a yamux stream" }

func (p *peer) addStream(st *yamux.Stream) fields {
	return fields{"handle": p.add(muxStream{st}), "streamId": st.StreamID()}
}

type writeArgs struct {
	envelope
	Handle    int    `json:"handle"`
	DataB64   []byte `json:"dataB64"`
	Size      int    `json:"size"`
	Offset    int    `json:"offset"`
	TimeoutMs int    `json:"timeoutMs"`
}

type readArgs struct {
	envelope
	Handle    int `json:"handle"`
	Max       int `json:"max"`
	TimeoutMs int `json:"timeoutMs"`
}

type readAllArgs struct {
	envelope
	Handle    int `json:"handle"`
	TimeoutMs int `json:"timeoutMs"`
	Limit     int `json:"limit"`
	Chunk     int `json:"chunk"`
	PauseMs   int `json:"pauseMs"`
}

func init() {
	commands["open"] = typed(func(p *peer, a waitArgs) (fields, error) {
		l, err := p.session(a.Handle)
		if err != nil {
			return nil, err
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		st, err := l.open(ctx)
		if err != nil {
			return nil, err
		}
		return p.addStream(st), nil
	})
	commands["accept"] = typed(func(p *peer, a waitArgs) (fields, error) {
		l, err := p.session(a.Handle)
		if err != nil {
			return nil, err
		}
		if l.accepted {
			return nil, errors.New("dRPC accepts this session's streams")
		}
		ctx, cancel := millis(a.TimeoutMs)
		defer cancel()
		st, err := l.mux.AcceptStreamWithContext(ctx)
		if err != nil {
			return nil, err
		}
		return p.addStream(st), nil
	})
	commands["write"] = typed(func(p *peer, a writeArgs) (fields, error) {
		st, err := lookup[muxStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		data := a.DataB64
		if data == nil {
			data = pattern(a.Size, a.Offset)
		}
		_ = st.SetWriteDeadline(deadline(a.TimeoutMs))
		n, err := st.Write(data)
		if err != nil {
			return nil, &failure{err, fields{"written": n}}
		}
		return fields{"written": n}, nil
	})
	commands["read"] = typed(func(p *peer, a readArgs) (fields, error) {
		st, err := lookup[muxStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		if a.Max <= 0 {
			a.Max = 64 << 10
		}
		_ = st.SetReadDeadline(deadline(a.TimeoutMs))
		b := make([]byte, a.Max)
		n, err := st.Read(b)
		if err == io.EOF {
			return fields{"dataB64": b[:n], "eof": true}, nil
		}
		if err != nil {
			return nil, err
		}
		return fields{"dataB64": b[:n]}, nil
	})
	commands["readAll"] = typed(readAll)
	commands["closeWrite"] = typed(func(p *peer, a handleArgs) (fields, error) {
		st, err := lookup[muxStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return nil, st.Close()
	})
	commands["echo"] = typed(func(p *peer, a handleArgs) (fields, error) {
		st, err := lookup[muxStream](p, a.Handle)
		if err != nil {
			return nil, err
		}
		// Hide the stream's type so that a chunk is written before the next is read.
		n, err := io.CopyBuffer(struct{ io.Writer }{st}, struct{ io.Reader }{st}, make([]byte, 32<<10))
		if err != nil {
			return nil, &failure{err, fields{"size": n}}
		}
		return fields{"size": n}, st.Close()
	})
}

// readAll reads until the end, or until it has limit bytes.
func readAll(p *peer, a readAllArgs) (fields, error) {
	st, err := lookup[muxStream](p, a.Handle)
	if err != nil {
		return nil, err
	}
	if a.Chunk <= 0 {
		a.Chunk = 64 << 10
	}
	_ = st.SetReadDeadline(deadline(a.TimeoutMs))
	var (
		size int
		sum  = sha256.New()
		b    = make([]byte, a.Chunk)
		so   = func() fields { return fields{"size": size, "sha256": hex.EncodeToString(sum.Sum(nil))} }
	)
	for a.Limit <= 0 || size < a.Limit {
		chunk := b
		if a.Limit > 0 {
			chunk = b[:min(len(b), a.Limit-size)]
		}
		n, err := st.Read(chunk)
		size += n
		sum.Write(chunk[:n])
		if err == io.EOF {
			out := so()
			out["eof"] = true
			return out, nil
		}
		if err != nil {
			return nil, &failure{err, so()}
		}
		time.Sleep(time.Duration(a.PauseMs) * time.Millisecond)
	}
	return so(), nil
}
