package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Frames of the boundary log socket: a tag in the upper 8 bits and a length in
// the lower 24, then a message.
const (
	boundaryMaxPayload = 32 << 10
	boundaryFramesKept = 5000
)

var boundaryTypes = map[int]protoreflect.FullName{
	1: "coder.agent.v2.ReportBoundaryLogsRequest",
	2: "coder.boundarylogproxy.codec.v1.BoundaryMessage",
}

func (p *peer) boundaryType(tag int) protoreflect.MessageDescriptor {
	typ, err := p.types.types.FindMessageByName(boundaryTypes[tag])
	if err != nil {
		return nil
	}
	return typ.Descriptor()
}

// boundaryWriter is a program that has logs.
type boundaryWriter struct{ conn net.Conn }

func (boundaryWriter) kind() string { return "a boundary writer" }

func (w boundaryWriter) shut() error { return w.conn.Close() }

// boundaryReader is an agent that takes logs.
type boundaryReader struct {
	types    *peer
	listener net.Listener

	mu          sync.Mutex
	conns       map[net.Conn]bool
	connections int
	frames      []fields
	errors      []string
}

func (*boundaryReader) kind() string { return "a boundary reader" }

func (r *boundaryReader) shut() error {
	err := r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.conns {
		_ = conn.Close()
	}
	return err
}

func (r *boundaryReader) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.connections++
		number := r.connections
		r.conns[conn] = true
		r.mu.Unlock()
		go func() {
			err := r.read(conn, number)
			_ = conn.Close()
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.conns, conn)
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				r.errors = append(r.errors, err.Error())
			}
		}()
	}
}

func (r *boundaryReader) read(conn net.Conn, number int) error {
	for {
		var word uint32
		if err := binary.Read(conn, binary.BigEndian, &word); err != nil {
			return err
		}
		tag, size := int(word>>24), word&0xffffff
		if boundaryTypes[tag] == "" {
			return fmt.Errorf("unsupported tag: %d", tag)
		}
		if size > boundaryMaxPayload {
			return errors.New("message too large")
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(conn, b); err != nil {
			return fmt.Errorf("in a payload of %d bytes: %v", size, err)
		}
		frame := r.types.types.describe(b, r.types.boundaryType(tag), false)
		frame["tag"], frame["connection"], frame["size"] = tag, number, size
		r.mu.Lock()
		if len(r.frames) == boundaryFramesKept {
			r.frames = r.frames[1:]
		}
		r.frames = append(r.frames, frame)
		r.mu.Unlock()
	}
}

type boundaryPathArgs struct {
	envelope
	Path string `json:"path"`
}

type boundarySendArgs struct {
	envelope
	Handle int `json:"handle"`
	Tag    int `json:"tag"`
	payload
	Chunk int    `json:"chunk"`
	Bytes *int   `json:"bytes"`
	Raw   []byte `json:"rawB64"`
}

// frame is what is written: raw bytes, or a frame of a message.
func (a boundarySendArgs) frame(p *peer) ([]byte, error) {
	if a.Raw != nil {
		return a.Raw, nil
	}
	b, err := p.types.encode(a.payload, p.boundaryType(a.Tag))
	if err != nil {
		return nil, err
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(a.Tag)<<24|uint32(len(b)))
	frame = append(frame, b...)
	if a.Bytes != nil {
		frame = frame[:min(*a.Bytes, len(frame))]
	}
	return frame, nil
}

func init() {
	commands["boundaryDial"] = typed(func(p *peer, a boundaryPathArgs) (fields, error) {
		conn, err := net.Dial("unix", a.Path)
		if err != nil {
			return nil, err
		}
		return fields{"handle": p.add(boundaryWriter{conn})}, nil
	})
	commands["boundarySend"] = typed(func(p *peer, a boundarySendArgs) (fields, error) {
		w, err := lookup[boundaryWriter](p, a.Handle)
		if err != nil {
			return nil, err
		}
		b, err := a.frame(p)
		if err != nil {
			return nil, err
		}
		chunk := a.Chunk
		if chunk <= 0 {
			chunk = len(b)
		}
		for rest := b; len(rest) > 0; rest = rest[min(chunk, len(rest)):] {
			if _, err := w.conn.Write(rest[:min(chunk, len(rest))]); err != nil {
				return nil, err
			}
		}
		return fields{"written": len(b)}, nil
	})
	commands["boundaryEnd"] = typed(func(p *peer, a waitArgs) (fields, error) {
		w, err := lookup[boundaryWriter](p, a.Handle)
		if err != nil {
			return nil, err
		}
		if err := w.conn.SetReadDeadline(deadline(a.TimeoutMs)); err != nil {
			return nil, err
		}
		b, err := io.ReadAll(w.conn)
		if err != nil {
			return nil, err
		}
		return fields{"dataB64": append([]byte{}, b...)}, nil
	})
	commands["boundaryServe"] = typed(func(p *peer, a boundaryPathArgs) (fields, error) {
		if err := os.Remove(a.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		listener, err := net.Listen("unix", a.Path)
		if err != nil {
			return nil, err
		}
		r := &boundaryReader{types: p, listener: listener, conns: map[net.Conn]bool{}, frames: []fields{}}
		go r.serve()
		return fields{"handle": p.add(r)}, nil
	})
	commands["boundaryFrames"] = typed(func(p *peer, a handleArgs) (fields, error) {
		r, err := lookup[*boundaryReader](p, a.Handle)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		frames, err := json.Marshal(r.frames)
		if err != nil {
			return nil, err
		}
		return fields{
			"frames": json.RawMessage(frames), "connections": r.connections,
			"open": len(r.conns), "errors": append([]string{}, r.errors...),
		}, nil
	})
}
