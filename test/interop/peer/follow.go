package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	coordinateRPC = "/coder.tailnet.v2.Tailnet/Coordinate"
	relaysRPC     = "/coder.tailnet.v2.Tailnet/StreamDERPMaps"
)

const followedKept = 1000

type followArgs struct {
	dialArgs
	Node        json.RawMessage `json:"node"`
	Tunnels     []string        `json:"tunnels"` // ids in base64
	Acknowledge bool            `json:"acknowledge"`
	RelayMaps   bool            `json:"relayMaps"`
	RedialMs    int             `json:"redialMs"`
}

// follower does with the tailnet service what an agent, or a program of a user,
// does: it keeps a coordination, and a stream of relay maps if asked, and when
// either of them ends, in whatever way, it gives the session up and dials again.
type follower struct {
	peer *peer
	args followArgs

	mu       sync.Mutex
	sessions int
	ends     []string // of the sessions so far
	link     *link
	stream   *rpcStream
	known    map[string]knownPeer
	updates  []knownPeer
	errors   []string
	maps     []json.RawMessage
	isOver   bool
	goodbye  chan string // how the coordination ended after Disconnect
}

// knownPeer is the latest that was told of a peer.
type knownPeer struct {
	ID     string          `json:"id"`
	Kind   string          `json:"kind"`
	Node   json.RawMessage `json:"node,omitempty"`
	Reason string          `json:"reason,omitempty"`
}

func (*follower) kind() string { return "a follower" }

// shut vanishes without Disconnect.
func (f *follower) shut() error {
	f.mu.Lock()
	f.isOver = true
	l := f.link
	f.mu.Unlock()
	if l == nil {
		return nil
	}
	return l.shut()
}

// keep dials, follows until something ends, and dials again.
func (f *follower) keep() {
	for {
		err := f.live()
		f.mu.Lock()
		f.ends = append(f.ends[max(0, len(f.ends)-followedKept+1):], err.Error())
		f.link, f.stream = nil, nil
		over := f.isOver
		f.mu.Unlock()
		if over {
			return
		}
		time.Sleep(time.Duration(max(f.args.RedialMs, 1)) * time.Millisecond)
	}
}

func (f *follower) live() error {
	l, _, err := f.peer.openSession(f.args.dialArgs)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer func() { _ = l.shut() }()
	coordination, err := openRPC(l, streamArgs{RPC: coordinateRPC})
	if err != nil {
		return fmt.Errorf("coordinate: %w", err)
	}
	f.mu.Lock()
	if f.isOver {
		f.mu.Unlock()
		return errors.New("closed")
	}
	f.sessions++
	f.link, f.stream, f.known = l, coordination, map[string]knownPeer{}
	f.mu.Unlock()
	if err := f.introduce(); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	ended := make(chan error, 2)
	go func() { ended <- fmt.Errorf("read: %w", f.readPeers(coordination)) }()
	if f.args.RelayMaps {
		relays, err := openRPC(l, streamArgs{RPC: relaysRPC})
		if err != nil {
			return fmt.Errorf("relay maps: %w", err)
		}
		go func() { ended <- fmt.Errorf("recv DERPMap error: %w", f.readMaps(relays)) }()
	}
	return <-ended
}

// introduce sends what the other side is to know at the beginning of a session.
func (f *follower) introduce() error {
	if f.args.Node != nil {
		if err := f.request(fields{"updateSelf": fields{"node": f.args.Node}}); err != nil {
			return err
		}
	}
	for _, id := range f.args.Tunnels {
		if err := f.request(fields{"addTunnel": fields{"id": id}}); err != nil {
			return err
		}
	}
	return nil
}

// request sends a CoordinateRequest on the present session.
func (f *follower) request(what fields) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	in, err := f.peer.types.fromJSON(text, f.peer.types.input(coordinateRPC))
	if err != nil {
		return err
	}
	f.mu.Lock()
	stream := f.stream
	f.mu.Unlock()
	if stream == nil {
		return errors.New("there is no session now")
	}
	return stream.stream.MsgSend(&body{in}, rawEncoding{})
}

// readPeers keeps what is told of peers until the stream ends.
func (f *follower) readPeers(stream *rpcStream) error {
	for {
		var m body
		if err := stream.stream.MsgRecv(&m, rawEncoding{}); err != nil {
			f.mu.Lock()
			if f.goodbye != nil {
				f.goodbye <- err.Error()
				f.goodbye = nil
			}
			f.mu.Unlock()
			return err
		}
		text, err := f.peer.types.toJSON(m.b, f.peer.types.output(coordinateRPC))
		if err != nil {
			return err
		}
		var response struct {
			PeerUpdates []knownPeer `json:"peerUpdates"`
			Error       string      `json:"error"`
		}
		if err := json.Unmarshal(text, &response); err != nil {
			return err
		}
		acks := f.learn(response.PeerUpdates, response.Error)
		if len(acks) > 0 && f.args.Acknowledge {
			if err := f.request(fields{"readyForHandshake": acks}); err != nil {
				return err
			}
		}
	}
}

// learn gives the peers whose nodes are new.
func (f *follower) learn(updates []knownPeer, failure string) (acks []fields) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if failure != "" {
		f.errors = append(f.errors[max(0, len(f.errors)-followedKept+1):], failure)
	}
	for _, update := range updates {
		f.updates = append(f.updates[max(0, len(f.updates)-followedKept+1):], update)
		switch update.Kind {
		case "NODE":
			acks = append(acks, fields{"id": update.ID})
			f.known[update.ID] = update
		case "READY_FOR_HANDSHAKE":
			known := f.known[update.ID]
			known.Kind = update.Kind
			f.known[update.ID] = known
		default:
			f.known[update.ID] = update
		}
	}
	return acks
}

// readMaps keeps relay maps until the stream ends.
func (f *follower) readMaps(stream *rpcStream) error {
	if err := stream.stream.MsgSend(&body{}, rawEncoding{}); err != nil {
		return err
	}
	if err := stream.stream.CloseSend(); err != nil {
		return err
	}
	for {
		var m body
		if err := stream.stream.MsgRecv(&m, rawEncoding{}); err != nil {
			return err
		}
		text, err := f.peer.types.toJSON(m.b, f.peer.types.output(relaysRPC))
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.maps = append(f.maps[max(0, len(f.maps)-followedKept+1):], text)
		f.mu.Unlock()
	}
}

// leave says Disconnect and waits for the server to end the stream.
func (f *follower) leave(timeoutMs int) (fields, error) {
	ctx, cancel := millis(timeoutMs)
	defer cancel()
	goodbye := make(chan string, 1)
	f.mu.Lock()
	f.isOver, f.goodbye = true, goodbye
	f.mu.Unlock()
	// The server may end the stream before Go's send has returned, which then fails.
	sent := f.request(fields{"disconnect": fields{}})
	select {
	case how := <-goodbye:
		return fields{"goodbye": how}, f.shut()
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), sent, f.shut())
	}
}

func (f *follower) state() fields {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := make([]knownPeer, 0, len(f.known))
	for _, each := range f.known {
		known = append(known, each)
	}
	return fields{
		"sessions": f.sessions, "ends": append([]string{}, f.ends...), "known": known,
		"updates": append([]knownPeer{}, f.updates...), "errors": append([]string{}, f.errors...),
		"maps": append([]json.RawMessage{}, f.maps...), "isConnected": f.stream != nil,
	}
}

type requestArgs struct {
	envelope
	Handle int    `json:"handle"`
	JSON   fields `json:"json"`
}

func init() {
	commands["follow"] = typed(func(p *peer, a followArgs) (fields, error) {
		f := &follower{peer: p, args: a, known: map[string]knownPeer{}}
		go f.keep()
		return fields{"handle": p.add(f)}, nil
	})
	commands["followed"] = typed(func(p *peer, a handleArgs) (fields, error) {
		f, err := lookup[*follower](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return f.state(), nil
	})
	commands["request"] = typed(func(p *peer, a requestArgs) (fields, error) {
		f, err := lookup[*follower](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return nil, f.request(a.JSON)
	})
	commands["leave"] = typed(func(p *peer, a waitArgs) (fields, error) {
		f, err := lookup[*follower](p, a.Handle)
		if err != nil {
			return nil, err
		}
		return f.leave(a.TimeoutMs)
	})
}
