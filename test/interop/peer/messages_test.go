package main

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

func TestPadding(t *testing.T) {
	sizes := []int{0, 3, 4, 4<<20 - 1, 4 << 20, 4<<20 + 1}
	for _, around := range []int{128, 16384, 2097152} { // where the length takes another byte
		for d := -3; d < 12; d++ {
			sizes = append(sizes, around+d)
		}
	}
	for _, n := range sizes {
		b, err := padding(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != n {
			t.Errorf("padding of %d bytes has %d", n, len(b))
		}
		if err := proto.Unmarshal(b, &emptypb.Empty{}); err != nil {
			t.Errorf("padding of %d bytes: %v", n, err)
		}
		for rest := b; len(rest) > 0; {
			num, _, size := protowire.ConsumeField(rest)
			if size < 0 || num != paddingField {
				t.Fatalf("padding of %d bytes has field %d", n, num)
			}
			rest = rest[size:]
		}
	}
	for _, n := range []int{-1, 1, 2} {
		if _, err := padding(n); err == nil {
			t.Errorf("padding of %d bytes", n)
		}
	}
}
