package api

// CheckEmit reports what is wrong with the body of a call of emit, as far as its text tells: a *problem.Problem, or nil.
func CheckEmit(body []byte) error {
	r, p := decode(body, emitFields, emitRequired)
	if p == nil && r.args != nil {
		_, _, p = arguments(r.args)
	}
	if p != nil {
		return p
	}
	return nil
}
