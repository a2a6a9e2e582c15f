package main

import "strings"

func init() {
	commands["toValidUtf8"] = typed(toValidUTF8)
}

type validArgs struct {
	envelope
	TextsB64    [][]byte `json:"textsB64"`
	Replacement string   `json:"replacement"`
}

// toValidUTF8 is what strings.ToValidUTF8 makes of each text.
func toValidUTF8(_ *peer, a validArgs) (fields, error) {
	texts := make([]string, len(a.TextsB64))
	for i, b := range a.TextsB64 {
		texts[i] = strings.ToValidUTF8(string(b), a.Replacement)
	}
	return fields{"texts": texts}, nil
}
