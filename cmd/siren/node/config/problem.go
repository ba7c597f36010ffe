package config

import (
	"fmt"
	"strings"
)

// Problem is one error of a configuration. Immutable.
type Problem struct {
	// File is the path of the file; "" when the value comes from elsewhere.
	File string `json:"-"`
	// Line is the line of the file, from 1 on; 0 when the value comes from elsewhere.
	Line int `json:"line"`
	// Key is the name of the key, as admin.listen or namespaces[0].name; "" when the file as a whole is meant.
	Key string `json:"key"`
	// Message says what is wrong, and which values are allowed.
	Message string `json:"message"`
	// origin is the variable or the flag that the value comes from, in place of a file.
	origin string
}

// Error names the place and tells what is wrong.
func (p *Problem) Error() string {
	switch {
	case p.origin != "":
		return p.origin + ": " + p.Message
	case p.File == "" && p.Key == "":
		return p.Message
	case p.File == "":
		return p.Key + ": " + p.Message
	case p.Key == "":
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Key, p.Message)
}

// Problems are all errors of a configuration, those of the file in the order of its lines. Immutable.
type Problems []Problem

// Error has one line for each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i := range ps {
		lines[i] = ps[i].Error()
	}
	return strings.Join(lines, "\n")
}
