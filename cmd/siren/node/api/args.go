package api

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/seed58c87869/siren/cmd/siren/node/problem"
	"github.com/seed58c87869/siren/cmd/siren/node/value"
	"github.com/seed58c87869/siren/server"
)

// arguments makes the arguments of an event from the array of them, which is valid JSON. Their numbers stay as they are.
// size is about what they take on the wire.
func arguments(array []byte) (args []any, size int, p *problem.Problem) {
	const path = "args"
	elements, deep := split(array)
	switch {
	case len(elements) > argsMax:
		return nil, 0, problem.Field(problem.BadField, path, fmt.Sprintf("it has more than %d entries", argsMax))
	case deep >= 0:
		return nil, 0, problem.Field(problem.BadField, fmt.Sprintf("%s[%d]", path, deep), fmt.Sprintf("it is nested deeper than %d levels", depthMax))
	}
	args = make([]any, len(elements))
	attachments := 0
	for i, e := range elements {
		raw := server.Raw{JSON: e}
		if value.Special(e) {
			var err error
			if raw, err = value.Parse(e, attachmentsMax-attachments); err != nil {
				return nil, 0, wrongValue(fmt.Sprintf("%s[%d]", path, i), err)
			}
			attachments += len(raw.Attachments)
		}
		size += len(raw.JSON) + 1
		for _, a := range raw.Attachments {
			size += len(a)
		}
		args[i] = raw
	}
	return args, size, nil
}

// levelsOfEvent is how many levels of an event its arguments are in: the event's object and the array.
const levelsOfEvent = 2

// split returns the elements of an array of valid JSON, and the index of the first one that is nested too deep; -1 when
// there is none. It returns few elements more than are allowed.
func split(array []byte) (elements [][]byte, deep int) {
	depth, start, deep := 0, 1, -1
	for i := 0; i < len(array); i++ {
		switch array[i] {
		case '"':
			for i++; array[i] != '"'; i++ {
				if array[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			if depth++; deep < 0 && depth-1 > depthMax-levelsOfEvent {
				deep = len(elements)
			}
		case ',':
			if depth == 1 {
				elements = append(elements, bytes.TrimSpace(array[start:i]))
				start = i + 1
			}
		case ']', '}':
			if depth--; depth == 0 {
				if last := bytes.TrimSpace(array[start:i]); len(last) > 0 {
					elements = append(elements, last)
				}
			}
		}
		if len(elements) > argsMax {
			break
		}
	}
	return elements, deep
}

// wrongValue tells what is wrong with a value at a path. It is valid JSON.
func wrongValue(path string, err error) *problem.Problem {
	var wrong *value.Error
	if errors.As(err, &wrong) {
		path += wrong.Path
		err = wrong.Reason
	}
	if errors.Is(err, value.ErrTooMany) {
		return problem.Field(problem.BadField, path, fmt.Sprintf("an event has at most %d binary values", attachmentsMax))
	}
	return problem.Field(problem.BadField, path, err.Error())
}
