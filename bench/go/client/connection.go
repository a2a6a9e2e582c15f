package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coder/websocket"
	"github.com/hashicorp/yamux"
	"storj.io/drpc/drpcconn"

	"agentwire.test/bench/echo"
	"agentwire.test/bench/link"
)

// connection is a session; each call has a stream of its own on it.
type connection struct{ session *yamux.Session }

func dial(ctx context.Context, port string) (*connection, error) {
	url := "ws://127.0.0.1:" + port + link.Path + "?version=2.0"
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPHeader:      map[string][]string{"Coder-Session-Token": {"bench"}},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	session, err := yamux.Client(link.Bytes(ws), link.YamuxConfig())
	if err != nil {
		return nil, err
	}
	return &connection{session}, nil
}

func (c *connection) open() (*drpcconn.Conn, error) {
	stream, err := c.session.OpenStream()
	if err != nil {
		return nil, err
	}
	return drpcconn.NewWithOptions(stream, drpcconn.Options{Manager: link.ManagerOptions()}), nil
}

// unary makes a call and checks the size of its answer.
func (c *connection) unary(payload []byte) ([]byte, error) {
	conn, err := c.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	var out echo.Message
	in := echo.Message{Payload: payload}
	if err := conn.Invoke(context.Background(), echo.UnaryRPC, echo.Encoding{}, &in, &out); err != nil {
		return nil, err
	}
	return out.Payload, checkSize(len(out.Payload), len(payload))
}

// stream takes all answers of one server stream, and checks their sizes and number.
func (c *connection) stream(payload []byte, count uint32, each func([]byte) error) error {
	conn, err := c.open()
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stream, err := conn.NewStream(context.Background(), echo.ServerStreamRPC, echo.Encoding{})
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	if err := stream.MsgSend(&echo.Message{Payload: payload, Count: count}, echo.Encoding{}); err != nil {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for got := uint32(0); ; got++ {
		var out echo.Message
		err := stream.MsgRecv(&out, echo.Encoding{})
		if errors.Is(err, io.EOF) {
			if got != count {
				return fmt.Errorf("wrong answer: a stream of %d messages instead of %d", got, count)
			}
			return nil
		}
		if err == nil {
			err = checkSize(len(out.Payload), len(payload))
		}
		if err == nil && each != nil {
			err = each(out.Payload)
		}
		if err != nil {
			return err
		}
	}
}

func checkSize(got, want int) error {
	if got != want {
		return fmt.Errorf("wrong answer: %d bytes instead of %d", got, want)
	}
	return nil
}
