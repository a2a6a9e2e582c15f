package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// wireFaults are odd habits of the byte stream that yamux writes.
type wireFaults struct {
	Bytewise bool `json:"bytewise"` // each byte is a write, so a WebSocket message, of its own
	NoPong   bool `json:"noPong"`   // yamux pings get no answer
	DelayMs  int  `json:"delayMs"`  // everything goes out this much later, in order
}

// wrap puts the faults around what yamux writes to.
func (f wireFaults) wrap(c net.Conn) net.Conn {
	if f.Bytewise {
		c = bytewiseConn{c}
	}
	if f.DelayMs > 0 {
		c = newDelayConn(c, time.Duration(f.DelayMs)*time.Millisecond)
	}
	if f.NoPong {
		c = &pongless{Conn: c}
	}
	return c
}

type bytewiseConn struct{ net.Conn }

func (c bytewiseConn) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := c.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// delayConn holds back what is written.
type delayConn struct {
	net.Conn
	delay  time.Duration
	queue  chan held
	closed chan struct{}
	once   sync.Once
	failed chan struct{} // closed when a write has failed
	err    error
}

type held struct {
	due time.Time
	b   []byte
}

func newDelayConn(c net.Conn, delay time.Duration) *delayConn {
	d := &delayConn{Conn: c, delay: delay, queue: make(chan held, 4096), closed: make(chan struct{}), failed: make(chan struct{})}
	go d.pump()
	return d
}

func (d *delayConn) pump() {
	for {
		select {
		case h := <-d.queue:
			time.Sleep(time.Until(h.due))
			if _, err := d.Conn.Write(h.b); err != nil {
				d.err = err
				close(d.failed)
				return
			}
		case <-d.closed:
			return
		}
	}
}

func (d *delayConn) Write(b []byte) (int, error) {
	select {
	case d.queue <- held{time.Now().Add(d.delay), bytes.Clone(b)}:
		return len(b), nil
	case <-d.failed:
		return 0, d.err
	case <-d.closed:
		return 0, net.ErrClosed
	}
}

// Close drops what is still held back.
func (d *delayConn) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Conn.Close()
}

// pongless leaves out the answers to yamux pings. yamux writes a frame's header
// with one call and its body, if it has one, with the next.
type pongless struct {
	net.Conn
	body uint32 // bytes of a frame's body still to be written
}

const (
	yamuxHeader = 12
	yamuxData   = 0
	yamuxPing   = 2
	yamuxACK    = 2
)

func (c *pongless) Write(b []byte) (int, error) {
	if c.body > 0 {
		c.body -= min(c.body, uint32(len(b)))
		return c.Conn.Write(b)
	}
	if len(b) == yamuxHeader {
		switch flags := binary.BigEndian.Uint16(b[2:]); b[1] {
		case yamuxPing:
			if flags&yamuxACK != 0 {
				return len(b), nil
			}
		case yamuxData:
			c.body = binary.BigEndian.Uint32(b[8:])
		}
	}
	return c.Conn.Write(b)
}

// wsWatch reads along on the TCP connection under a WebSocket. The byte stream
// that the WebSocket library makes hides the close codes 1000 and 1001 and where
// messages begin and end; here they can be seen.
type wsWatch struct {
	net.Conn

	mu      sync.Mutex
	mode    watchMode
	head    []byte // of the HTTP answer or of a frame, as far as it has come
	left    uint64 // bytes of the frame's payload still to come
	opcode  byte
	final   bool
	mask    []byte
	payload []byte // of a close frame
	message uint64 // bytes of the message so far

	count wsCount
	close *wsClose
}

type watchMode int

const (
	watchIdle   watchMode = iota
	watchAnswer           // the HTTP answer comes first
	watchFrames
)

// wsCount counts what has come in.
type wsCount struct {
	Messages uint64 `json:"messages"`
	Frames   uint64 `json:"frames"` // of data, so more than messages if some are in fragments
	Bytes    uint64 `json:"bytes"`  // in them
	Largest  uint64 `json:"largest"`
	Texts    uint64 `json:"texts"`
	Pings    uint64 `json:"pings"`
	Pongs    uint64 `json:"pongs"`
}

// wsClose is a close frame that has come in.
type wsClose struct {
	code   int // 1005 if it had none
	reason string
}

const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// arm says that from now on all that comes in is WebSocket frames.
func (w *wsWatch) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mode = watchFrames
}

func (w *wsWatch) counted() wsCount {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

func (w *wsWatch) closeFrame() *wsClose {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.close
}

func (w *wsWatch) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	w.see(b[:n])
	w.mu.Unlock()
	return n, err
}

func (w *wsWatch) see(b []byte) {
	for len(b) > 0 {
		switch {
		case w.mode == watchIdle:
			return
		case w.mode == watchAnswer:
			w.head = append(w.head, b[0])
			b = b[1:]
			if bytes.HasSuffix(w.head, []byte("\r\n\r\n")) {
				w.mode = watchIdle
				if bytes.HasPrefix(w.head, []byte("HTTP/1.1 101")) {
					w.mode = watchFrames
				}
				w.head = nil
			}
		case w.left > 0:
			n := min(w.left, uint64(len(b)))
			if w.opcode == opClose {
				w.payload = append(w.payload, b[:n]...)
			}
			b = b[n:]
			if w.left -= n; w.left == 0 {
				w.frameEnd()
			}
		default:
			w.head = append(w.head, b[0])
			b = b[1:]
			w.frameHead()
		}
	}
}

// frameHead looks whether the head of a frame is complete.
func (w *wsWatch) frameHead() {
	h := w.head
	if len(h) < 2 {
		return
	}
	size := 2
	switch h[1] & 127 {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	extended := h[2:min(size, len(h))]
	masked := h[1]&128 != 0
	if masked {
		size += 4
	}
	if len(h) < size {
		return
	}
	w.opcode, w.final, w.mask = h[0]&15, h[0]&128 != 0, nil
	if masked {
		w.mask = h[size-4 : size]
	}
	w.left = uint64(h[1] & 127)
	if len(extended) > 0 {
		w.left = 0
		for _, x := range extended {
			w.left = w.left<<8 | uint64(x)
		}
	}
	w.head = nil
	switch w.opcode {
	case opPing:
		w.count.Pings++
	case opPong:
		w.count.Pongs++
	case opClose:
	default:
		w.count.Frames++
		w.count.Bytes += w.left
		w.message += w.left
		if w.opcode == opText {
			w.count.Texts++
		}
		if w.final {
			w.count.Messages++
			w.count.Largest = max(w.count.Largest, w.message)
			w.message = 0
		}
	}
	if w.left == 0 {
		w.frameEnd()
	}
}

func (w *wsWatch) frameEnd() {
	if w.opcode != opClose || w.close != nil {
		return
	}
	for i := range w.payload {
		if w.mask != nil {
			w.payload[i] ^= w.mask[i%4]
		}
	}
	w.close = &wsClose{code: 1005}
	if len(w.payload) >= 2 {
		w.close = &wsClose{int(binary.BigEndian.Uint16(w.payload)), string(w.payload[2:])}
	}
}
