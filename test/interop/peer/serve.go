package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"storj.io/drpc"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"
)

const rpcPath = "/api/v2/workspaceagents/me/rpc"

// where programs of users dial
const (
	tailnetPath    = "/api/v2/tailnet"
	coordinatePath = "/api/v2/workspaceagents/{id}/coordinate"
)

// serveFaults are the faults of all sessions of a server.
type serveFaults struct {
	wireFaults
	TinyFramesSize int `json:"tinyFramesSize"` // dRPC frames of at most this many bytes
}

type serveArgs struct {
	envelope
	Addr        string      `json:"addr"`
	Token       string      `json:"token"` // any, or none, if empty
	MaxVersion  string      `json:"maxVersion"`
	ResumeToken string      `json:"resumeToken"` // none other is accepted; any if empty
	Compression bool        `json:"compression"`
	Yamux       yamuxArgs   `json:"yamux"`
	Faults      serveFaults `json:"faults"`
}

type serveTCPArgs struct {
	envelope
	Network string      `json:"network"`
	Addr    string      `json:"addr"`
	Mode    string      `json:"mode"` // drpc-yamux, drpc-plain or yamux
	Yamux   yamuxArgs   `json:"yamux"`
	Faults  serveFaults `json:"faults"`
}

// server is a listener of this side, and how its rpcs are answered.
type server struct {
	handle int
	peer   *peer
	lis    net.Listener
	http   *http.Server // nil without WebSockets
	yamux  yamuxArgs
	faults serveFaults
	rpcs   *drpcmux.Mux

	mu      sync.Mutex
	closed  bool
	links   map[*link]bool
	scripts map[string]*behaviour
	log     callLog
}

func (*server) kind() string { return "a server" }

func (p *peer) newServer(network, addr string, yamux yamuxArgs, faults serveFaults) (*server, error) {
	s := &server{peer: p, yamux: yamux, faults: faults, links: map[*link]bool{}, scripts: map[string]*behaviour{}}
	s.log.counts = map[string]int{}
	var err error
	if s.rpcs, err = s.newMux(); err != nil {
		return nil, err
	}
	if s.lis, err = net.Listen(network, addr); err != nil {
		return nil, err
	}
	s.handle = p.add(s)
	return s, nil
}

// shut closes the listener and all that came of it.
func (s *server) shut() error {
	s.mu.Lock()
	s.closed = true
	open := s.links
	s.links = map[*link]bool{}
	s.mu.Unlock()
	err := s.lis.Close()
	if s.http != nil {
		_ = s.http.Close()
	}
	var wg sync.WaitGroup
	for l := range open {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_ = l.shut()
		}()
	}
	wg.Wait()
	return err
}

// admit makes a connection known and has its end told.
func (s *server) admit(l *link, more fields) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		_ = l.shut()
		return errors.New("the server is closed")
	}
	s.links[l] = true
	s.mu.Unlock()
	s.peer.bind(l.handle, l)
	out := fields{"server": s.handle, "session": l.handle}
	for k, v := range more {
		out[k] = v
	}
	s.peer.event("session", out)
	go func() {
		<-l.over
		s.mu.Lock()
		delete(s.links, l)
		s.mu.Unlock()
		out := l.ending()
		out["server"], out["session"] = s.handle, l.handle
		s.peer.event("sessionEnd", out)
	}()
	return nil
}

type linkKey struct{}

// drpcServer answers the rpcs of a link.
func (s *server) drpcServer(l *link) (*drpcserver.Server, context.Context) {
	return drpcserver.NewWithOptions(s, drpcserver.Options{
		Manager: managerOptions(s.faults.TinyFramesSize),
		Log: func(err error) {
			if !isEnd(err) {
				s.peer.event("drpcError", fields{"server": s.handle, "session": l.handle, "error": err.Error()})
			}
		},
	}), context.WithValue(context.Background(), linkKey{}, l)
}

// newLink is a link of this server that has no connection yet.
func (s *server) newLink() *link {
	return &link{handle: s.peer.reserve(), server: s, over: make(chan struct{}), splitSize: s.faults.TinyFramesSize}
}

// serveSession answers the rpcs on the streams of a yamux session until it ends.
func (s *server) serveSession(l *link) {
	rpcs, ctx := s.drpcServer(l)
	_ = rpcs.Serve(ctx, l.mux)
	_ = l.mux.Close()
}

type connKey struct{}

// watchListener lets every connection be watched.
type watchListener struct{ net.Listener }

func (l watchListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wsWatch{Conn: c}, nil
}

// prepareHTTP makes the HTTP server of an agent API.
func (s *server) prepareHTTP(a serveArgs) {
	routes := http.NewServeMux()
	for _, path := range []string{rpcPath, tailnetPath, coordinatePath} {
		routes.HandleFunc("GET "+path, func(rw http.ResponseWriter, r *http.Request) { s.upgrade(rw, r, a) })
	}
	routes.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) {
		writeJSON(rw, http.StatusNotFound, apiError{Message: "Route not found."})
	})
	s.http = &http.Server{
		Handler: routes,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          s.peer.logger("http", func() fields { return fields{"server": s.handle} }),
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the WebSocket library take the connection over.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// upgrade lets a request in, or refuses it, and serves the session it starts.
func (s *server) upgrade(rw http.ResponseWriter, r *http.Request, a serveArgs) {
	q := r.URL.Query()
	token, in := findToken(r)
	about := fields{
		"path": r.URL.Path, "version": q.Get("version"), "role": q.Get("role"), "token": token, "tokenIn": in,
		"userAgent": r.UserAgent(), "query": r.URL.RawQuery, "headers": flat(r.Header),
	}
	refused := func(status int) {
		about["server"], about["status"] = s.handle, status
		s.peer.event("refused", about)
	}
	if status, why := gate(r, a); status != 0 {
		writeJSON(rw, status, why)
		refused(status)
		return
	}
	watch, _ := r.Context().Value(connKey{}).(*wsWatch)
	watch.arm()
	mode := websocket.CompressionDisabled
	if a.Compression {
		mode = websocket.CompressionContextTakeover
	}
	answer := &statusWriter{ResponseWriter: rw}
	ws, err := websocket.Accept(answer, r, &websocket.AcceptOptions{CompressionMode: mode})
	if err != nil {
		// Accept has answered; the JSON goes behind its text.
		_ = json.NewEncoder(rw).Encode(apiError{Message: "Failed to accept websocket.", Detail: err.Error()})
		refused(answer.status)
		return
	}
	l := s.newLink()
	l.tcp, l.watch, l.ws, l.accepted = watch.Conn, watch, ws, true
	conn := websocket.NetConn(context.Background(), ws, websocket.MessageBinary)
	if err := s.peer.startMux(l, conn, s.yamux, s.faults.wireFaults); err != nil {
		_ = ws.Close(websocket.StatusInternalError, "")
		return
	}
	if s.admit(l, about) == nil {
		s.serveSession(l)
	}
}

// serveConns serves connections that have no WebSocket.
func (s *server) serveConns(mode string) {
	for {
		conn, err := s.lis.Accept()
		if err != nil {
			return
		}
		l := s.newLink()
		l.tcp = conn
		if mode == "drpc-plain" {
			if s.admit(l, nil) == nil {
				go func() {
					rpcs, ctx := s.drpcServer(l)
					err := rpcs.ServeOne(ctx, drpc.Transport(s.faults.wrap(conn)))
					l.end(err)
				}()
			}
			continue
		}
		l.accepted = mode == "drpc-yamux"
		if err := s.peer.startMux(l, conn, s.yamux, s.faults.wireFaults); err != nil {
			_ = conn.Close()
			continue
		}
		if s.admit(l, nil) == nil && l.accepted {
			go s.serveSession(l)
		}
	}
}

func init() {
	commands["serve"] = typed(func(p *peer, a serveArgs) (fields, error) {
		if a.Addr == "" {
			a.Addr = "127.0.0.1:0"
		}
		if a.MaxVersion == "" {
			a.MaxVersion = "2.10"
		}
		if _, _, err := parseVersion(a.MaxVersion); err != nil {
			return nil, err
		}
		if err := verifyYamux(a.Yamux); err != nil {
			return nil, err
		}
		s, err := p.newServer("tcp", a.Addr, a.Yamux, a.Faults)
		if err != nil {
			return nil, err
		}
		s.prepareHTTP(a)
		go func() { _ = s.http.Serve(watchListener{s.lis}) }()
		addr := s.lis.Addr().String()
		return fields{"handle": s.handle, "addr": addr, "url": "ws://" + addr + rpcPath}, nil
	})
	commands["serveTcp"] = typed(func(p *peer, a serveTCPArgs) (fields, error) {
		if a.Network == "" {
			a.Network = "tcp"
		}
		if a.Addr == "" && a.Network == "tcp" {
			a.Addr = "127.0.0.1:0"
		}
		switch a.Mode {
		case "drpc-yamux", "drpc-plain", "yamux":
		default:
			return nil, errors.New("mode is drpc-yamux, drpc-plain or yamux")
		}
		if err := verifyYamux(a.Yamux); err != nil {
			return nil, err
		}
		s, err := p.newServer(a.Network, a.Addr, a.Yamux, a.Faults)
		if err != nil {
			return nil, err
		}
		go s.serveConns(a.Mode)
		return fields{"handle": s.handle, "addr": s.lis.Addr().String()}, nil
	})
}
