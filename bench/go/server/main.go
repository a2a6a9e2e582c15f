// Command server answers the echo service on dRPC over yamux over WebSocket,
// with the libraries of Go programs.
package main

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/coder/websocket"
	"github.com/hashicorp/yamux"
	"storj.io/drpc/drpcserver"

	"agentwire.test/bench/control"
	"agentwire.test/bench/echo"
	"agentwire.test/bench/link"
)

func main() {
	if err := serve(); err != nil {
		control.Fail(err)
	}
}

func serve() error {
	mux, err := echo.NewMux()
	if err != nil {
		return err
	}
	rpcs := drpcserver.NewWithOptions(mux, drpcserver.Options{Manager: link.ManagerOptions()})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET "+link.Path, func(rw http.ResponseWriter, r *http.Request) { upgrade(rw, r, rpcs) })
	go func() { _ = http.Serve(listener, routes) }()

	control.Say(map[string]int{"port": listener.Addr().(*net.TCPAddr).Port})
	control.Serve(func(command control.Command) (any, error) {
		if command.Op != "usage" {
			return nil, errors.New("unknown op " + command.Op)
		}
		return map[string]float64{"cpuMs": control.CPUMs()}, nil
	})
	return nil
}

// upgrade serves one session.
func upgrade(rw http.ResponseWriter, r *http.Request, rpcs *drpcserver.Server) {
	ws, err := websocket.Accept(rw, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has been answered
	}
	session, err := yamux.Server(link.Bytes(ws), link.YamuxConfig())
	if err != nil {
		_ = ws.CloseNow()
		return
	}
	_ = rpcs.Serve(context.Background(), session)
	_ = session.Close()
}
