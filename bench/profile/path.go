package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed58c87869/siren/codec/sio"
)

// path is a place in the arguments of an event: the number of the argument, then keys and indices. Immutable.
type path []string

// pathMax bounds the length of a path.
const pathMax = 32

// parsePath reads a path such as 0 or 0.data.n. An empty text is no path.
func parsePath(text string) (path, error) {
	if text == "" {
		return nil, nil
	}
	p := path(strings.Split(text, "."))
	if n, err := strconv.Atoi(p[0]); err != nil || n < 0 || len(p) > pathMax {
		return nil, fmt.Errorf("%q is no place in an event: want the number of the argument from 0, then keys, such as 0.data.n", text)
	}
	return p, nil
}

// in returns the JSON value at that place of a list of arguments without brackets; ok is false if there is none.
func (p path) in(args []byte) (value []byte, ok bool) {
	index, err := strconv.Atoi(p[0])
	if err != nil {
		return nil, false
	}
	arg, rest := sio.NextArg(args)
	for ; index > 0 && arg != nil; index-- {
		arg, rest = sio.NextArg(rest)
	}
	if arg == nil {
		return nil, false
	}
	for _, key := range p[1:] {
		if arg, ok = member(arg, key); !ok {
			return nil, false
		}
	}
	return arg, true
}

// member returns a member of an object, or an element of an array.
func member(value []byte, key string) ([]byte, bool) {
	switch {
	case bytes.HasPrefix(value, []byte("{")):
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) != nil {
			return nil, false
		}
		inner, ok := object[key]
		return inner, ok
	case bytes.HasPrefix(value, []byte("[")):
		n, err := strconv.Atoi(key)
		if err != nil || n < 0 {
			return nil, false
		}
		arg, rest := sio.NextArg(value[1 : len(value)-1])
		for ; n > 0 && arg != nil; n-- {
			arg, rest = sio.NextArg(rest)
		}
		return arg, arg != nil
	}
	return nil, false
}

// number returns the number at that place, which may be a text with a number.
func (p path) number(args []byte) (int64, bool) {
	value, ok := p.in(args)
	if !ok {
		return 0, false
	}
	text := string(bytes.Trim(value, `"`))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > -1<<62 && f < 1<<62) {
		return 0, false
	}
	return int64(f), true
}

// present reports whether there is something other than null and false at that place.
func (p path) present(args []byte) (text string, ok bool) {
	value, ok := p.in(args)
	if !ok || string(value) == "null" || string(value) == "false" {
		return "", false
	}
	return string(value), true
}

// findMark finds a mark of the run anywhere in the arguments.
func findMark(args []byte, tag string) (sequence int, micros int64, ok bool) {
	at := bytes.Index(args, []byte(markPrefix+tag+":"))
	if at < 0 {
		return 0, 0, false
	}
	rest := args[at+len(markPrefix)+len(tag)+1:]
	number, rest, ok := bytes.Cut(rest, []byte(":"))
	if !ok {
		return 0, 0, false
	}
	when, _, ok := bytes.Cut(rest, []byte(";"))
	if !ok {
		return 0, 0, false
	}
	sequence, err := strconv.Atoi(string(number))
	if err != nil || sequence < 0 {
		return 0, 0, false
	}
	micros, err = strconv.ParseInt(string(when), 10, 64)
	return sequence, micros, err == nil
}
