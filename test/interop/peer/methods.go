package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"storj.io/drpc"
	"storj.io/drpc/drpcctx"
	"storj.io/drpc/drpcerr"
	"storj.io/drpc/drpcmetadata"
	"storj.io/drpc/drpcmux"
)

// behaviour is how a method answers instead of as it does by default.
type behaviour struct {
	Missing       bool `json:"missing"`       // as if there were no such rpc
	Unimplemented bool `json:"unimplemented"` // as generated code without an implementation

	RecvFirst bool `json:"recvFirst"` // where the requests are a stream: take one before anything else
	DelayMs   int  `json:"delayMs"`
	Stall     bool `json:"stall"` // receive and send nothing until the context ends

	Reply        json.RawMessage `json:"reply"`
	ReplyB64     []byte          `json:"replyB64"`
	ReplyPadding *int            `json:"replyPadding"`
	Messages     *messageList    `json:"messages"`
	Echo         bool            `json:"echo"`

	Then        string       `json:"then"` // return (default), close, hold or error
	Error       *scriptError `json:"error"`
	ResetStream bool         `json:"resetStream"`
}

type scriptError struct {
	Code scriptCode `json:"code"`
	Text string     `json:"text"`
}

// scriptCode is a number or, for one that a double cannot hold, its digits.
type scriptCode uint64

func (c *scriptCode) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		text = string(b)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	*c = scriptCode(n)
	return err
}

// messageList is a list of messages, or count times the same padding.
type messageList struct {
	list           []json.RawMessage
	count, padding int
}

func (m *messageList) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &m.list) == nil {
		return nil
	}
	var many struct{ Count, Padding int }
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("messages is a list or {count, padding}")
	}
	m.count, m.padding = many.Count, many.Padding
	return nil
}

// answers are the messages that are scripted, in their wire form.
func (b *behaviour) answers(types *schema, typ protoreflect.MessageDescriptor) ([][]byte, error) {
	if b.Messages == nil {
		// nil: nothing is scripted
		one := payload{b.Reply, b.ReplyB64, b.ReplyPadding}
		if one.JSON == nil && one.BodyB64 == nil && one.Padding == nil {
			return nil, nil
		}
		m, err := types.encode(one, typ)
		return [][]byte{m}, err
	}
	out := [][]byte{}
	for _, text := range b.Messages.list {
		m, err := types.fromJSON(text, typ)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	if b.Messages.count > 0 {
		m, err := padding(b.Messages.padding)
		if err != nil {
			return nil, err
		}
		for range b.Messages.count {
			out = append(out, m)
		}
	}
	return out, nil
}

func (b *behaviour) verify() error {
	switch b.Then {
	case "", "return", "close", "hold", "error":
		return nil
	}
	return errors.New("then is return, close, hold or error")
}

func (b *behaviour) failure() error {
	if b.Error == nil {
		return errors.New("scripted error")
	}
	return drpcerr.WithCode(errors.New(b.Error.Text), uint64(b.Error.Code))
}

// HandleRPC answers one rpc through the library's mux.
func (s *server) HandleRPC(stream drpc.Stream, rpc string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	b, rpcs := s.behaviour(rpc), s.rpcs
	if b != nil && b.Missing {
		rpcs = drpcmux.New()
	}
	l, _ := stream.Context().Value(linkKey{}).(*link)
	metadata, _ := drpcmetadata.Get(stream.Context())
	c := s.log.begin(rpc, l.handle, metadata)
	err = rpcs.HandleRPC(&recorded{stream, s, c, b}, rpc)
	s.log.finish(c, stream.Context(), err)
	return err
}

// recorded is a stream of the server whose requests are written down.
type recorded struct {
	drpc.Stream
	server    *server
	call      *call
	behaviour *behaviour
}

func (r *recorded) MsgRecv(m drpc.Message, enc drpc.Encoding) error {
	if err := r.Stream.MsgRecv(m, enc); err != nil {
		return err
	}
	r.server.log.request(r.call, m.(*body).b)
	return nil
}

func (s *server) behaviour(rpc string) *behaviour {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.scripts[rpc]; ok {
		return b
	}
	return s.scripts["*"]
}

// method is one rpc of the schema on a server.
type method struct {
	server *server
	rpc    string
	desc   protoreflect.MethodDescriptor
	enc    rawEncoding
}

// The mux learns the shape of an rpc from the type of a sample method.
func unaryShape(any, context.Context, *body) (*body, error) { return nil, nil }
func serverStreamShape(any, *body, drpc.Stream) error       { return nil }
func streamShape(any, drpc.Stream) error                    { return nil }

type methodSet []*method

func (s methodSet) NumMethods() int { return len(s) }

func (s methodSet) Method(n int) (string, drpc.Encoding, drpc.Receiver, any, bool) {
	m := s[n]
	var shape any = unaryShape
	switch {
	case m.desc.IsStreamingClient():
		shape = streamShape
	case m.desc.IsStreamingServer():
		shape = serverStreamShape
	}
	return m.rpc, m.enc, m.receive, shape, true
}

// newMux is the library's mux with every method of every service.
func (s *server) newMux() (*drpcmux.Mux, error) {
	var all methodSet
	for rpc, desc := range s.peer.types.methods {
		all = append(all, &method{s, rpc, desc, rawEncoding{s.peer.types, desc.Input()}})
	}
	mux := drpcmux.New()
	return mux, mux.Register(s, all)
}

// receive answers one rpc on its stream; the mux ends it.
func (m *method) receive(_ any, ctx context.Context, in1, in2 any) (drpc.Message, error) {
	var in []byte
	if b, ok := in1.(*body); ok {
		in = b.b
	} else {
		in2 = in1
	}
	st := in2.(*recorded)
	if st.behaviour != nil {
		return nil, m.play(ctx, st, in)
	}
	return nil, m.standard(ctx, st, in)
}

// standard is how a method answers when nothing else is scripted: empty
// messages, or what it was given where that is of the type of the answer.
func (m *method) standard(ctx context.Context, st *recorded, in []byte) error {
	requests, replies := m.desc.IsStreamingClient(), m.desc.IsStreamingServer()
	switch {
	case requests && replies:
		return m.each(st, in, func([]byte) error { return m.send(st, nil) })
	case requests:
		if err := m.each(st, in, func([]byte) error { return nil }); err != nil {
			return err
		}
		return m.send(st, nil)
	case replies:
		for range 2 {
			if err := m.send(st, nil); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}
	return m.send(st, m.echoed(in))
}

func (m *method) send(st drpc.Stream, b []byte) error { return st.MsgSend(&body{b}, m.enc) }

// each does something with every message until there are no more: first, unless
// it is nil, and those that come.
func (m *method) each(st drpc.Stream, first []byte, do func([]byte) error) error {
	if first != nil {
		if err := do(first); err != nil {
			return err
		}
	}
	for {
		var in body
		err := st.MsgRecv(&in, m.enc)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(in.b); err != nil {
			return err
		}
	}
}

// echoed is the part of a request that has the type of the reply, for rpcs that
// give back what they were given, and otherwise empty.
func (m *method) echoed(in []byte) []byte {
	of := m.desc.Input().Fields()
	for i := range of.Len() {
		f := of.Get(i)
		if f.Message() != m.desc.Output() || f.Cardinality() == protoreflect.Repeated {
			continue
		}
		req := dynamicpb.NewMessage(m.desc.Input())
		if proto.Unmarshal(in, req) != nil || !req.Has(f) {
			break
		}
		out, err := proto.MarshalOptions{Deterministic: true}.Marshal(req.Get(f).Message().Interface())
		if err == nil && out != nil {
			return out
		}
	}
	return []byte{}
}

// play does what is scripted.
func (m *method) play(ctx context.Context, st *recorded, in []byte) error {
	b := st.behaviour
	streaming := m.desc.IsStreamingClient()
	if b.Unimplemented {
		return drpcerr.WithCode(errors.New("Unimplemented"), drpcerr.Unimplemented)
	}
	if b.RecvFirst && streaming {
		var first body
		if err := st.MsgRecv(&first, m.enc); err != nil {
			return err
		}
		in = first.b
	}
	select {
	case <-time.After(time.Duration(b.DelayMs) * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	if b.Stall {
		<-ctx.Done()
		return ctx.Err()
	}
	answers, err := b.answers(m.server.peer.types, m.desc.Output())
	if err != nil {
		return err
	}
	switch {
	case answers != nil:
	case b.Echo && streaming:
		if err := m.each(st, in, func(in []byte) error { return m.send(st, in) }); err != nil {
			return err
		}
	case b.Echo:
		answers = [][]byte{in}
	case b.Then == "" && b.Error == nil && !b.ResetStream:
		return m.standard(ctx, st, in)
	}
	for _, a := range answers {
		if err := m.send(st, a); err != nil {
			return err
		}
	}
	switch {
	case b.ResetStream:
		tr, _ := drpcctx.Transport(ctx)
		return tr.Close()
	case b.Then == "close":
		return st.Close()
	case b.Then == "hold":
		if streaming {
			_ = m.each(st, nil, func([]byte) error { return nil })
		}
		<-ctx.Done()
		return ctx.Err()
	case b.Then == "error", b.Then == "" && b.Error != nil:
		return b.failure()
	}
	return nil
}

type scriptArgs struct {
	envelope
	Handle    int        `json:"handle"`
	RPC       string     `json:"rpc"` // "*" for those without a script of their own
	Behaviour *behaviour `json:"behaviour"`
}

func init() {
	commands["script"] = typed(func(p *peer, a scriptArgs) (fields, error) {
		s, err := lookup[*server](p, a.Handle)
		if err != nil {
			return nil, err
		}
		if a.RPC != "*" && p.types.methods[a.RPC] == nil {
			return nil, fmt.Errorf("the descriptor set has no rpc %q", a.RPC)
		}
		if a.Behaviour != nil {
			if err := a.Behaviour.verify(); err != nil {
				return nil, err
			}
			if a.RPC != "*" {
				if _, err := a.Behaviour.answers(p.types, p.types.output(a.RPC)); err != nil {
					return nil, err
				}
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case a.Behaviour != nil:
			s.scripts[a.RPC] = a.Behaviour
		case a.RPC == "*":
			clear(s.scripts)
		default:
			delete(s.scripts, a.RPC)
		}
		return nil, nil
	})
}
