package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"storj.io/drpc/drpcerr"
)

func TestHandle(t *testing.T) {
	type args struct {
		envelope
		N int `json:"n"`
	}
	commands["test"] = typed(func(_ *peer, a args) (fields, error) {
		switch a.N {
		case 1:
			return nil, &failure{drpcerr.WithCode(errors.New("no"), 12), fields{"written": 3}}
		case 2:
			panic("oh")
		case 3:
			return nil, context.DeadlineExceeded
		case 4:
			return fields{"bad": func() {}}, nil
		}
		return fields{"n": a.N}, nil
	})
	defer delete(commands, "test")
	for in, want := range map[string]string{
		`{"id":7,"op":"test","n":5}`:   `{"id":7,"n":5,"ok":true}`,
		`{"id":"a","op":"test","n":1}`: `{"code":"12","error":"no","id":"a","ok":false,"written":3}`,
		`{"id":8,"op":"test","n":2}`:   `{"error":"panic: oh","id":8,"ok":false}`,
		`{"id":8,"op":"test","n":3}`:   `{"error":"context deadline exceeded","id":8,"ok":false,"timeout":true}`,
		`{"id":8,"op":"test","n":4}`:   `{"error":"result: json: unsupported type: func()","id":8,"ok":false}`,
		`{"id":9,"op":"test","m":5}`:   `{"error":"arguments: json: unknown field \"m\"","id":9,"ok":false}`,
		`{"id":9,"op":"none"}`:         `{"error":"unknown op \"none\"","id":9,"ok":false}`,
		`{"id":9,"op":"ping"}`:         `{"error":"no handle 0","id":9,"ok":false}`,
		`{"id":9,"op":"cancel","handle":1}`: `{"error":"handle 1 is a server, which this op is not for",` +
			`"id":9,"ok":false}`,
		`x`: `{"error":"not a command: invalid character 'x' looking for beginning of value","id":null,"ok":false}`,
	} {
		var out bytes.Buffer
		p := newPeer(nil, &out)
		p.add(&server{})
		p.handle([]byte(in))
		if got := string(bytes.TrimSpace(out.Bytes())); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		if !json.Valid(out.Bytes()) {
			t.Errorf("%s: not JSON", in)
		}
	}
}

func TestInboxKeepsWhatComesLate(t *testing.T) {
	source := make(chan int)
	b := newInbox(func() (int, error) { return <-source, nil })
	soon, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.next(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nothing to receive: %v", err)
	}
	source <- 1 // taken by the receive that goes on
	b.prime()   // one is under way, so this starts no other
	select {
	case source <- 2:
		t.Fatal("received ahead of being asked for")
	case <-time.After(10 * time.Millisecond):
	}
	if v, err := b.next(context.Background()); v != 1 || err != nil {
		t.Fatalf("got %d, %v", v, err)
	}
	go func() { source <- 3 }()
	if v, _ := b.next(context.Background()); v != 3 {
		t.Fatalf("got %d", v)
	}
}
