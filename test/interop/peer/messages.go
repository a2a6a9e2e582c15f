package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"storj.io/drpc"
)

// schema is a descriptor set: the services and their types.
type schema struct {
	types   *dynamicpb.Types
	methods map[string]protoreflect.MethodDescriptor // by dRPC name
}

// loadSchema reads a descriptor set; an empty path gives an empty schema.
func loadSchema(path string) (*schema, error) {
	files := &protoregistry.Files{}
	if path != "" {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var set descriptorpb.FileDescriptorSet
		if err := proto.Unmarshal(raw, &set); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if files, err = protodesc.NewFiles(&set); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	s := &schema{types: dynamicpb.NewTypes(files), methods: map[string]protoreflect.MethodDescriptor{}}
	files.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			service := f.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				s.methods[fmt.Sprintf("/%s/%s", service.FullName(), m.Name())] = m
			}
		}
		return true
	})
	return s, nil
}

// input and output are the types of an rpc, nil if the schema does not have it.
func (s *schema) input(rpc string) protoreflect.MessageDescriptor {
	if m := s.methods[rpc]; m != nil {
		return m.Input()
	}
	return nil
}

func (s *schema) output(rpc string) protoreflect.MessageDescriptor {
	if m := s.methods[rpc]; m != nil {
		return m.Output()
	}
	return nil
}

// payload is how a command gives a message: at most one of its members; none is
// an empty message.
type payload struct {
	JSON    json.RawMessage `json:"json"`
	BodyB64 []byte          `json:"bodyB64"`
	Padding *int            `json:"padding"`
}

// encode is the message's wire form; only JSON needs the type.
func (s *schema) encode(in payload, typ protoreflect.MessageDescriptor) ([]byte, error) {
	given := 0
	for _, yes := range []bool{in.JSON != nil, in.BodyB64 != nil, in.Padding != nil} {
		if yes {
			given++
		}
	}
	switch {
	case given > 1:
		return nil, errors.New("only one of json, bodyB64 and padding can be given")
	case in.JSON != nil:
		return s.fromJSON(in.JSON, typ)
	case in.Padding != nil:
		return padding(*in.Padding)
	}
	return in.BodyB64, nil
}

func (s *schema) fromJSON(text []byte, typ protoreflect.MessageDescriptor) ([]byte, error) {
	if typ == nil {
		return nil, errors.New("the descriptor set does not have this rpc, so its messages have no JSON form")
	}
	m := dynamicpb.NewMessage(typ)
	if err := (protojson.UnmarshalOptions{Resolver: s.types}).Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%s: %w", typ.FullName(), err)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

func (s *schema) toJSON(b []byte, typ protoreflect.MessageDescriptor) (json.RawMessage, error) {
	m := dynamicpb.NewMessage(typ)
	if err := (proto.UnmarshalOptions{Resolver: s.types}).Unmarshal(b, m); err != nil {
		return nil, err
	}
	return protojson.MarshalOptions{Resolver: s.types}.Marshal(m)
}

// describe is a message in a result: its digest, or its bytes and, for a type
// that is known, its JSON form or why it has none.
func (s *schema) describe(b []byte, typ protoreflect.MessageDescriptor, short bool) fields {
	if short {
		return digest(b)
	}
	out := fields{"bodyB64": append([]byte{}, b...)}
	if typ != nil {
		text, err := s.toJSON(b, typ)
		if err != nil {
			out["jsonError"] = err.Error()
		} else {
			out["json"] = text
		}
	}
	return out
}

func digest(b []byte) fields {
	sum := sha256.Sum256(b)
	return fields{"size": len(b), "sha256": hex.EncodeToString(sum[:])}
}

const paddingField = 1000

// padding is a body of exactly n bytes that decodes as any message: zero bytes
// in a field that no type has. At the few sizes where one field does not fit,
// because the length of a longer one needs another byte, an empty field comes
// first.
func padding(n int) ([]byte, error) {
	if n < 0 || n == 1 || n == 2 {
		return nil, fmt.Errorf("there is no padding of %d bytes", n)
	}
	if n == 0 {
		return []byte{}, nil
	}
	tag := protowire.SizeTag(paddingField)
	b := make([]byte, 0, n)
	for width := 1; ; width++ {
		size := n - tag - width
		switch fits := protowire.SizeVarint(uint64(max(size, 0))); {
		case fits == width:
			b = protowire.AppendTag(b, paddingField, protowire.BytesType)
			b = protowire.AppendVarint(b, uint64(size))
			return b[:n], nil
		case fits < width:
			b = protowire.AppendTag(b, paddingField, protowire.BytesType)
			b = protowire.AppendVarint(b, 0)
			n -= tag + 1
			rest, err := padding(n)
			return append(b, rest...), err
		}
	}
}

// pattern is n bytes that show what is missing or out of place.
func pattern(n, offset int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte((offset+i)*31 + 7)
	}
	return b
}

// body is a message that dRPC carries as the bytes it is.
type body struct{ b []byte }

// rawEncoding is the dRPC encoding of bodies. With a type, a body that does not
// decode as that type is refused, as generated code would.
type rawEncoding struct {
	types *schema
	typ   protoreflect.MessageDescriptor
}

func (rawEncoding) Marshal(m drpc.Message) ([]byte, error) { return m.(*body).b, nil }

func (e rawEncoding) Unmarshal(b []byte, m drpc.Message) error {
	if e.typ != nil {
		if err := (proto.UnmarshalOptions{Resolver: e.types.types}).Unmarshal(b, dynamicpb.NewMessage(e.typ)); err != nil {
			return err
		}
	}
	m.(*body).b = append([]byte{}, b...)
	return nil
}
