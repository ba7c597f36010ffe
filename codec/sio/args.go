package sio

// NextArg splits the first element off args, which must be Packet.Args or the rest
// that an earlier call returned. arg has no blanks around it, and is nil if there are
// no more elements. Both results are views of args. Safe for concurrent use.
func NextArg(args []byte) (arg, rest []byte) {
	start := skipSpace(args, 0)
	if start == len(args) {
		return nil, nil
	}
	end := valueEnd(args, start)
	rest = args[skipSpace(args, end):]
	if len(rest) > 0 {
		rest = rest[1:] // the comma
	}
	return args[start:end], rest
}

// valueEnd returns the end of the value at b[i] in JSON that has been checked. It
// looks at strings and brackets only.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = scanString(b, i+1); i < 0 {
				return len(b)
			}
			if depth == 0 {
				return i
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return i
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(b)
}

// Valid reports whether b is one JSON value, with or without blanks around it, whose
// arrays and objects are nested at most maxDepth deep. It takes linear time and does
// not recurse, whatever maxDepth is.
func Valid(b []byte, maxDepth int) bool {
	end, err := scanValue(b, skipSpace(b, 0), maxDepth, nil)
	return err == nil && skipSpace(b, end) == len(b)
}
