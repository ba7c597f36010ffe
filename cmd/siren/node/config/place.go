package config

import "fmt"

// place is where the value of a key comes from: a line of the file, a variable or a flag. The zero value is the
// default.
type place struct {
	file   string
	line   int
	origin string // the variable or flag
}

func (p place) String() string {
	switch {
	case p.origin != "":
		return p.origin
	case p.file != "":
		return fmt.Sprintf("%s:%d", p.file, p.line)
	}
	return "default"
}

// problem is an error of the key that has its value from here.
func (p place) problem(key, message string) Problem {
	return Problem{File: p.file, Line: p.line, Key: key, Message: message, origin: p.origin}
}
