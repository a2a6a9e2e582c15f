package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// apiError is the JSON of a refusal.
type apiError struct {
	Message     string       `json:"message"`
	Detail      string       `json:"detail,omitempty"`
	Validations []fieldError `json:"validations,omitempty"`
}

type fieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

func writeJSON(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

// findToken is the first token of a request and the place it is in.
func findToken(r *http.Request) (token, in string) {
	if c, err := r.Cookie(tokenCookie); err == nil && c.Value != "" {
		return c.Value, "cookie"
	}
	q := r.URL.Query()
	if v := q.Get(tokenCookie); v != "" {
		return v, "query"
	}
	if v := r.Header.Get(tokenHeader); v != "" {
		return v, "header"
	}
	if scheme, v, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") && strings.TrimSpace(v) != "" {
		return strings.TrimSpace(v), "bearer"
	}
	if v := strings.TrimSpace(q.Get(accessToken)); v != "" {
		return v, "accessToken"
	}
	return "", ""
}

// gate says with what status and error a request is refused; status 0 lets it in.
func gate(r *http.Request, a serveArgs) (int, apiError) {
	switch given, _ := findToken(r); {
	case a.Token == "" || given == a.Token:
	case given == "":
		return http.StatusUnauthorized, apiError{Message: `Cookie "coder_session_token" must be provided.`}
	default:
		return http.StatusUnauthorized, apiError{
			Message: "Workspace agent not authorized.",
			Detail:  "The agent cannot authenticate until the workspace provision job has been completed. If the job is no longer running, this agent is invalid.",
		}
	}
	version := r.URL.Query().Get("version")
	if version == "" {
		version = "2.0"
	}
	if err := checkVersion(a.MaxVersion, version); err != nil {
		return http.StatusBadRequest, apiError{
			Message:     "Unknown or unsupported API version",
			Validations: []fieldError{{"version", err.Error()}},
		}
	}
	if given := r.URL.Query().Get("resume_token"); given != "" && a.ResumeToken != "" && given != a.ResumeToken {
		const invalid = "Invalid resume token"
		return http.StatusUnauthorized, apiError{
			Message:     invalid,
			Detail:      "it has expired",
			Validations: []fieldError{{"resume_token", invalid}},
		}
	}
	return 0, apiError{}
}

func parseVersion(text string) (major, minor int64, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 2 {
		return 0, 0, fmt.Errorf("invalid version string: %s", text)
	}
	if major, err = strconv.ParseInt(parts[0], 10, 64); err != nil {
		return 0, 0, fmt.Errorf("invalid major version: %s", text)
	}
	if minor, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
		return 0, 0, fmt.Errorf("invalid minor version: %s", text)
	}
	return major, minor, nil
}

// checkVersion says whether a server of version newest serves the version asked for.
func checkVersion(newest, asked string) error {
	haveMajor, haveMinor, err := parseVersion(newest)
	if err != nil {
		return err
	}
	major, minor, err := parseVersion(asked)
	switch {
	case err != nil:
		return err
	case major > haveMajor:
		return fmt.Errorf("server is at version %s, behind requested major version %s", newest, asked)
	case major < haveMajor:
		return fmt.Errorf("version %s is no longer supported", asked)
	case minor > haveMinor:
		return fmt.Errorf("server is at version %s, behind requested minor version %s", newest, asked)
	}
	return nil
}
