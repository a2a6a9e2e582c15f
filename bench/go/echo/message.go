// Package echo is agentwire.test.v1.EchoService without generated code: its
// messages, encoded by hand, and its handlers.
package echo

import (
	"encoding/binary"
	"errors"

	"storj.io/drpc"
)

// Names of the RPCs.
const (
	UnaryRPC        = "/agentwire.test.v1.EchoService/Unary"
	ServerStreamRPC = "/agentwire.test.v1.EchoService/ServerStream"
)

// Message is any message of the service: field 1 is the payload; the request of
// a server stream has the number of answers as field 2.
type Message struct {
	Payload []byte
	Count   uint32
}

const (
	payloadTag = 1<<3 | 2 // length-delimited
	countTag   = 2<<3 | 0 // varint
)

var errBroken = errors.New("echo: broken message")

func (m *Message) appendTo(b []byte) []byte {
	if len(m.Payload) > 0 {
		b = append(b, payloadTag)
		b = binary.AppendUvarint(b, uint64(len(m.Payload)))
		b = append(b, m.Payload...)
	}
	if m.Count > 0 {
		b = append(b, countTag)
		b = binary.AppendUvarint(b, uint64(m.Count))
	}
	return b
}

// parse copies the payload: the buffer is the caller's.
func (m *Message) parse(b []byte) error {
	m.Payload, m.Count = nil, 0
	for len(b) > 0 {
		tag := b[0]
		value, n := binary.Uvarint(b[1:])
		if n <= 0 {
			return errBroken
		}
		b = b[1+n:]
		switch tag {
		case payloadTag:
			if value > uint64(len(b)) {
				return errBroken
			}
			m.Payload = append([]byte(nil), b[:value]...)
			b = b[value:]
		case countTag:
			m.Count = uint32(value)
		default:
			return errBroken
		}
	}
	return nil
}

// Encoding is what dRPC writes and reads messages with.
type Encoding struct{}

// Marshal is for the interface; dRPC prefers MarshalAppend.
func (Encoding) Marshal(m drpc.Message) ([]byte, error) {
	return m.(*Message).appendTo(nil), nil
}

// MarshalAppend encodes into dRPC's own buffer.
func (Encoding) MarshalAppend(b []byte, m drpc.Message) ([]byte, error) {
	return m.(*Message).appendTo(b), nil
}

// Unmarshal decodes a whole message.
func (Encoding) Unmarshal(b []byte, m drpc.Message) error {
	return m.(*Message).parse(b)
}
