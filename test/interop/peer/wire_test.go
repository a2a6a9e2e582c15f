package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
)

// sink is a connection that keeps what is written to it, write by write.
type sink struct {
	net.Conn
	writes [][]byte
}

func (s *sink) Write(b []byte) (int, error) {
	s.writes = append(s.writes, bytes.Clone(b))
	return len(b), nil
}

func yamuxFrame(typ byte, flags uint16, length uint32) []byte {
	b := make([]byte, yamuxHeader)
	b[1] = typ
	binary.BigEndian.PutUint16(b[2:], flags)
	binary.BigEndian.PutUint32(b[8:], length)
	return b
}

func TestNoPong(t *testing.T) {
	s := &sink{}
	c := wireFaults{NoPong: true}.wrap(s)
	pong := yamuxFrame(yamuxPing, yamuxACK, 5)
	for _, b := range [][]byte{
		pong,
		yamuxFrame(yamuxPing, 1, 5),
		yamuxFrame(yamuxData, 0, yamuxHeader), pong, // a body that looks like one
		yamuxFrame(yamuxData, 0, 0), pong, // no body
		yamuxFrame(1, yamuxACK, 77), pong,
	} {
		if n, err := c.Write(b); n != len(b) || err != nil {
			t.Fatal(n, err)
		}
	}
	want := [][]byte{
		yamuxFrame(yamuxPing, 1, 5), yamuxFrame(yamuxData, 0, yamuxHeader), pong,
		yamuxFrame(yamuxData, 0, 0), yamuxFrame(1, yamuxACK, 77),
	}
	if len(s.writes) != len(want) {
		t.Fatalf("%x", s.writes)
	}
	for i := range want {
		if !bytes.Equal(s.writes[i], want[i]) {
			t.Errorf("write %d: %x", i, s.writes[i])
		}
	}
}

func TestBytewise(t *testing.T) {
	s := &sink{}
	if n, err := (wireFaults{Bytewise: true}).wrap(s).Write([]byte("abc")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if len(s.writes) != 3 || string(bytes.Join(s.writes, []byte("."))) != "a.b.c" {
		t.Fatalf("%q", s.writes)
	}
}

func TestWatch(t *testing.T) {
	masked := func(first byte, payload string) []byte {
		b := []byte{first, byte(len(payload)) | 128, 1, 2, 3, 4}
		for i := range len(payload) {
			b = append(b, payload[i]^byte(i%4+1))
		}
		return b
	}
	long := append([]byte{0x82, 126, 1, 0}, make([]byte, 256)...)
	huge := append([]byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 65536)...)
	var all []byte
	for _, f := range [][]byte{
		[]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
		{0x82, 3, 1, 2, 3}, {0x81, 1, 'x'}, {0x82, 0},
		{0x02, 2, 1, 2}, {0x89, 1, 'p'}, {0x00, 1, 3}, {0x80, 0}, // fragments around a ping
		masked(0x8a, "pong"), long, huge, masked(0x88, "\x03\xe9bye"), {0x88, 0},
	} {
		all = append(all, f...)
	}
	want := wsCount{Messages: 6, Frames: 8, Bytes: 3 + 1 + 3 + 256 + 65536, Largest: 65536, Texts: 1, Pings: 1, Pongs: 1}
	for _, step := range []int{1, 7, len(all)} {
		w := &wsWatch{mode: watchAnswer}
		for rest := all; len(rest) > 0; {
			n := min(step, len(rest))
			w.see(rest[:n])
			rest = rest[n:]
		}
		if got := w.counted(); got != want {
			t.Errorf("%d at a time: %+v", step, got)
		}
		if c := w.closeFrame(); c == nil || *c != (wsClose{1001, "bye"}) {
			t.Errorf("%d at a time: %+v", step, c)
		}
	}
	refused := &wsWatch{mode: watchAnswer}
	refused.see(append([]byte("HTTP/1.1 401 Unauthorized\r\n\r\n"), all...))
	if refused.counted() != (wsCount{}) {
		t.Error("counted what is no WebSocket")
	}
}
