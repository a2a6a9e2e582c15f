// Package link is how both programs set up the libraries under the service.
package link

import (
	"context"
	"io"
	"net"

	"github.com/coder/websocket"
	"github.com/hashicorp/yamux"
	"storj.io/drpc/drpcmanager"
	"storj.io/drpc/drpcwire"
)

// Path is where servers of the agent API take WebSockets.
const Path = "/api/v2/workspaceagents/me/rpc"

// maxMessage is the largest dRPC message that is taken.
const maxMessage = 4 << 20

// ManagerOptions are what every dRPC conversation is run with.
func ManagerOptions() drpcmanager.Options {
	return drpcmanager.Options{Reader: drpcwire.ReaderOptions{MaximumBufferSize: maxMessage}}
}

// Bytes makes the messages of a WebSocket a stream of bytes.
func Bytes(ws *websocket.Conn) net.Conn {
	ws.SetReadLimit(-1)
	return websocket.NetConn(context.Background(), ws, websocket.MessageBinary)
}

// YamuxConfig is yamux's default, without its log.
func YamuxConfig() *yamux.Config {
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	return config
}
