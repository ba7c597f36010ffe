package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/seed58c87869/siren/bench"
)

// Limits of Read. A result with ten thousand bursts takes some 10 MB.
const (
	fileBytesMax = 64 << 20
	resultsMax   = 10_000
)

// ErrFormat is wrapped by the errors of Read for input that is not what the
// load generator writes.
var ErrFormat = errors.New("report: not a result of siren bench")

// Read reads results: JSON objects and arrays of them, one after the other
// with any white space in between. Input without any result is an error, as is
// an object without a scenario. Fields that are not known are ignored, so that
// files of a newer version can be read.
func Read(in io.Reader) ([]bench.Result, error) {
	limited := &io.LimitedReader{R: in, N: fileBytesMax + 1}
	decoder := json.NewDecoder(limited)
	var results []bench.Result
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if limited.N <= 0 {
			return nil, fmt.Errorf("%w: larger than %d bytes", ErrFormat, fileBytesMax)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, readError(err)
		}
		if results, err = appendValue(results, value); err != nil {
			return nil, err
		}
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	return results, nil
}

// readError tells bad JSON from input that cannot be read.
func readError(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return err
}

// appendValue adds one result, or those of an array. The value is valid JSON.
func appendValue(results []bench.Result, value json.RawMessage) ([]bench.Result, error) {
	items := []json.RawMessage{value}
	if value[0] == '[' {
		if err := json.Unmarshal(value, &items); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
	}
	if len(results)+len(items) > resultsMax {
		return nil, fmt.Errorf("%w: more than %d results", ErrFormat, resultsMax)
	}
	for _, item := range items {
		result, err := decode(item)
		if err != nil {
			return nil, fmt.Errorf("%w: result %d: %w", ErrFormat, len(results)+1, err)
		}
		results = append(results, result)
	}
	return results, nil
}

// decode reads one result. Any object would decode into one, so the scenario
// must be there.
func decode(item json.RawMessage) (bench.Result, error) {
	var result bench.Result
	var shape struct {
		Scenario json.RawMessage `json:"scenario"`
	}
	if err := json.Unmarshal(item, &shape); err != nil {
		return result, err
	}
	if !bytes.HasPrefix(shape.Scenario, []byte("{")) {
		return result, errors.New("it has no scenario")
	}
	err := json.Unmarshal(item, &result)
	return result, err
}
