// Package control is how the runner of the benchmark talks to a program: a JSON
// command per line on stdin, a JSON answer per line on stdout, one at a time.
package control

import (
	"bufio"
	"encoding/json"
	"os"
	"syscall"
)

// Command is an op and what it needs.
type Command struct {
	Op      string  `json:"op"`
	Size    int     `json:"size"`
	Callers int     `json:"callers"`
	Count   uint32  `json:"count"`
	Calls   int     `json:"calls"`
	Ms      float64 `json:"ms"`
}

// Say writes an answer.
func Say(answer any) {
	line, err := json.Marshal(answer)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// Fail says what went wrong.
func Fail(err error) {
	Say(map[string]string{"error": err.Error()})
}

// Serve answers commands until stdin ends.
func Serve(answer func(Command) (any, error)) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var command Command
		err := json.Unmarshal(lines.Bytes(), &command)
		var result any
		if err == nil {
			result, err = answer(command)
		}
		if err != nil {
			Fail(err)
		} else {
			Say(result)
		}
	}
}

// CPUMs is the processor time that this process has used, in milliseconds.
func CPUMs() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return millis(usage.Utime) + millis(usage.Stime)
}

func millis(t syscall.Timeval) float64 {
	return float64(t.Sec)*1e3 + float64(t.Usec)/1e3
}
