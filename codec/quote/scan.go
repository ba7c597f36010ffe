package quote

// ScanEscape returns the index after the escape whose backslash is at b[i-1], or -1 if the escape is malformed.
// Surrogates need not come in pairs.
func ScanEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(b)-i < 5 {
			return -1
		}
		for _, c := range b[i+1 : i+5] {
			if c-'0' > 9 && c|0x20-'a' > 5 {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

// ScanNumber returns the end of the number that begins at b[i], or -1 if there is none. i must be less than len(b). The
// number of digits is not limited.
func ScanNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	digits := skipDigits(b, i)
	if digits == i || b[i] == '0' && digits > i+1 {
		return -1
	}
	i = digits
	if i < len(b) && b[i] == '.' {
		if digits = skipDigits(b, i+1); digits == i+1 {
			return -1
		}
		i = digits
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if digits = skipDigits(b, i); digits == i {
			return -1
		}
		i = digits
	}
	return i
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
