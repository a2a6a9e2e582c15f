// Command peer is the Go side of the interoperability tests: a
// remote-controlled client and server of the agent API's wire stack, made of
// the libraries that Go programs use for it. It reads one JSON command per line
// on stdin and writes one JSON result or event per line on stdout. It knows no
// scenarios: README.md lists the commands.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	desc := flag.String("desc", "", "descriptor set (FileDescriptorSet, binary) that names the services and types")
	flag.Parse()
	types, err := loadSchema(*desc)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := newPeer(types, os.Stdout)
	p.event("ready", nil)
	if err := p.readCommands(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// readCommands starts each command as it comes and returns at the end of input,
// whatever is still going on then.
func (p *peer) readCommands(in io.Reader) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			go p.handle(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
