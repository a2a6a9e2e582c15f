// Command client calls an echo service as the runner of the benchmark says.
// Its argument is the server's port.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"agentwire.test/bench/control"
)

func main() {
	if err := run(); err != nil {
		control.Fail(err)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: client PORT")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := dial(ctx, os.Args[1])
	if err != nil {
		return err
	}
	if _, err := c.unary(nil); err != nil {
		return err
	}
	control.Say(map[string]bool{"ready": true})
	control.Serve(func(command control.Command) (any, error) { return answer(c, command) })
	return nil
}

func answer(c *connection, command control.Command) (any, error) {
	switch command.Op {
	case "verify":
		return map[string]bool{"right": true}, verify(c)
	case "unary":
		return runUnary(c, command)
	case "stream":
		return runStream(c, command)
	case "burst":
		return burst(c, command)
	}
	return nil, errors.New("unknown op " + command.Op)
}
