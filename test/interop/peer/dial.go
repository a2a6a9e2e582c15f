package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
	"storj.io/drpc/drpcconn"
)

const (
	tokenHeader = "Coder-Session-Token"
	tokenCookie = "coder_session_token" // also the name of the query parameter
	accessToken = "access_token"
)

const dialTimeoutMs = 15_000

type dialArgs struct {
	envelope
	URL           string            `json:"url"`
	Token         string            `json:"token"`
	TokenIn       string            `json:"tokenIn"` // header (default), cookie, query, bearer or accessToken
	Version       *string           `json:"version"`
	Role          *string           `json:"role"`
	Headers       map[string]string `json:"headers"`
	Compression   bool              `json:"compression"`
	Yamux         yamuxArgs         `json:"yamux"`
	DrpcSplitSize int               `json:"drpcSplitSize"`
	TimeoutMs     int               `json:"timeoutMs"`
	wireFaults
}

// request is the URL and the headers to dial with.
func (a dialArgs) request() (string, http.Header, error) {
	u, err := url.Parse(a.URL)
	if err != nil {
		return "", nil, err
	}
	q, h := u.Query(), http.Header{}
	if a.Version != nil {
		q.Set("version", *a.Version)
	}
	if a.Role != nil {
		q.Set("role", *a.Role)
	}
	if a.Token != "" {
		switch a.TokenIn {
		case "", "header":
			h.Set(tokenHeader, a.Token)
		case "cookie":
			h.Set("Cookie", (&http.Cookie{Name: tokenCookie, Value: a.Token}).String())
		case "query":
			q.Set(tokenCookie, a.Token)
		case "bearer":
			h.Set("Authorization", "Bearer "+a.Token)
		case "accessToken":
			q.Set(accessToken, a.Token)
		default:
			return "", nil, errors.New("tokenIn is header, cookie, query, bearer or accessToken")
		}
	}
	for k, v := range a.Headers {
		h.Set(k, v)
	}
	u.RawQuery = q.Encode()
	return u.String(), h, nil
}

// dialWS opens the WebSocket. A refusal is a failure with what the answer was.
func (a dialArgs) dialWS() (*link, fields, error) {
	full, header, err := a.request()
	if err != nil {
		return nil, nil, err
	}
	l := &link{over: make(chan struct{}), splitSize: a.DrpcSplitSize}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.tcp, l.watch = conn, &wsWatch{Conn: conn}
		if strings.HasPrefix(full, "ws:") || strings.HasPrefix(full, "http:") {
			l.watch.mode = watchAnswer
		}
		return l.watch, nil
	}}
	mode := websocket.CompressionDisabled
	if a.Compression {
		mode = websocket.CompressionContextTakeover
	}
	ms := a.TimeoutMs
	if ms == 0 {
		ms = dialTimeoutMs
	}
	ctx, cancel := millis(ms)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, full, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, CompressionMode: mode,
	})
	var answer fields
	if resp != nil {
		answer = fields{"status": resp.StatusCode, "headers": flat(resp.Header)}
	}
	if err != nil {
		if resp != nil {
			text, _ := io.ReadAll(resp.Body)
			answer["body"], answer["contentType"] = string(text), resp.Header.Get("Content-Type")
		}
		transport.CloseIdleConnections()
		return nil, nil, &failure{err, answer}
	}
	ws.SetReadLimit(-1)
	l.ws = ws
	return l, answer, nil
}

// flat has header names in lower case and values joined.
func flat(h http.Header) map[string]string {
	out := map[string]string{}
	for k, v := range h {
		out[strings.ToLower(k)] = strings.Join(v, ", ")
	}
	return out
}

// openSession dials and runs yamux; the session has a handle.
func (p *peer) openSession(a dialArgs) (*link, fields, error) {
	l, answer, err := a.dialWS()
	if err != nil {
		return nil, nil, err
	}
	l.handle = p.reserve()
	conn := websocket.NetConn(context.Background(), l.ws, websocket.MessageBinary)
	if err := p.startMux(l, conn, a.Yamux, a.wireFaults); err != nil {
		_ = l.ws.CloseNow()
		return nil, nil, err
	}
	p.bind(l.handle, l)
	return l, answer, nil
}

type dialTCPArgs struct {
	envelope
	Network       string    `json:"network"`
	Addr          string    `json:"addr"`
	Plain         bool      `json:"plain"`
	Yamux         yamuxArgs `json:"yamux"`
	DrpcSplitSize int       `json:"drpcSplitSize"`
	TimeoutMs     int       `json:"timeoutMs"`
	wireFaults
}

func init() {
	commands["dial"] = typed(func(p *peer, a dialArgs) (fields, error) {
		l, answer, err := p.openSession(a)
		if err != nil {
			return nil, err
		}
		answer["handle"] = l.handle
		return answer, nil
	})
	commands["rawWs"] = typed(func(p *peer, a dialArgs) (fields, error) {
		l, answer, err := a.dialWS()
		if err != nil {
			return nil, err
		}
		l.readMessages()
		l.handle = p.add(l)
		answer["handle"] = l.handle
		return answer, nil
	})
	commands["dialTcp"] = typed(func(p *peer, a dialTCPArgs) (fields, error) {
		if a.Network == "" {
			a.Network = "tcp"
		}
		ms := a.TimeoutMs
		if ms == 0 {
			ms = dialTimeoutMs
		}
		ctx, cancel := millis(ms)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, a.Network, a.Addr)
		if err != nil {
			return nil, err
		}
		l := &link{handle: p.reserve(), tcp: conn, over: make(chan struct{}), splitSize: a.DrpcSplitSize}
		if a.Plain {
			l.plain = drpcconn.NewWithOptions(a.wireFaults.wrap(conn), drpcconn.Options{Manager: managerOptions(l.splitSize)})
			go func() {
				<-l.plain.Closed()
				l.end(nil)
			}()
		} else if err := p.startMux(l, conn, a.Yamux, a.wireFaults); err != nil {
			_ = conn.Close()
			return nil, err
		}
		p.bind(l.handle, l)
		return fields{"handle": l.handle}, nil
	})
}
