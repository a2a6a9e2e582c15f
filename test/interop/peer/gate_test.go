package main

import "testing"

func TestCheckVersion(t *testing.T) {
	for asked, want := range map[string]string{
		"2.0": "", "2.10": "", "02.00": "", "+2.+1": "", "2.-1": "",
		"2.11":  "server is at version 2.10, behind requested minor version 2.11",
		"3.0":   "server is at version 2.10, behind requested major version 3.0",
		"1.0":   "version 1.0 is no longer supported",
		"-1.0":  "version -1.0 is no longer supported",
		"2":     "invalid version string: 2",
		"2.0.1": "invalid version string: 2.0.1",
		"x.0":   "invalid major version: x.0",
		".1":    "invalid major version: .1",
		"2.":    "invalid minor version: 2.",
		"2. 1":  "invalid minor version: 2. 1",
	} {
		got := ""
		if err := checkVersion("2.10", asked); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", asked, got, want)
		}
	}
}
