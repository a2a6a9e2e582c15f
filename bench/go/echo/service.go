package echo

import (
	"context"

	"storj.io/drpc"
	"storj.io/drpc/drpcmux"
)

// Service gives payloads back.
type Service struct{}

// Unary gives the payload back.
func (Service) Unary(_ context.Context, in *Message) (*Message, error) {
	return &Message{Payload: in.Payload}, nil
}

// ServerStream gives the payload back as often as asked.
func (Service) ServerStream(in *Message, stream drpc.Stream) error {
	for range in.Count {
		if err := stream.MsgSend(&Message{Payload: in.Payload}, Encoding{}); err != nil {
			return err
		}
	}
	return nil
}

// description is what a generator would have made.
type description struct{}

func (description) NumMethods() int { return 2 }

func (description) Method(n int) (string, drpc.Encoding, drpc.Receiver, any, bool) {
	switch n {
	case 0:
		receive := func(srv any, ctx context.Context, in, _ any) (drpc.Message, error) {
			return srv.(Service).Unary(ctx, in.(*Message))
		}
		return UnaryRPC, Encoding{}, receive, Service.Unary, true
	case 1:
		receive := func(srv any, _ context.Context, in, stream any) (drpc.Message, error) {
			return nil, srv.(Service).ServerStream(in.(*Message), stream.(drpc.Stream))
		}
		return ServerStreamRPC, Encoding{}, receive, Service.ServerStream, true
	}
	return "", nil, nil, nil, false
}

// NewMux is the library's mux with the service.
func NewMux() (*drpcmux.Mux, error) {
	mux := drpcmux.New()
	return mux, mux.Register(Service{}, description{})
}
