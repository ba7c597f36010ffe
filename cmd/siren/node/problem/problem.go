// Package problem is how the node's HTTP interface tells errors: problem details as in RFC 9457, with a code for programs.
package problem

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Code names a kind of error for programs. Immutable.
type Code string

// The codes, with the HTTP status of each in Status.
const (
	BadJSON               Code = "bad_json"
	BadField              Code = "bad_field"
	ReservedEvent         Code = "reserved_event"
	BadRequest            Code = "bad_request"
	Unauthorized          Code = "unauthorized"
	Forbidden             Code = "forbidden"
	UnknownNamespace      Code = "unknown_namespace"
	NotFound              Code = "not_found"
	MethodNotAllowed      Code = "method_not_allowed"
	IdempotencyInProgress Code = "idempotency_in_progress"
	TooLarge              Code = "too_large"
	UnsupportedMediaType  Code = "unsupported_media_type"
	IdempotencyConflict   Code = "idempotency_conflict"
	BadConfig             Code = "bad_config"
	RateLimited           Code = "rate_limited"
	HeadTooLarge          Code = "head_too_large"
	RequestTimeout        Code = "request_timeout"
	Internal              Code = "internal"
	Cluster               Code = "cluster"
	Overloaded            Code = "overloaded"
	Draining              Code = "draining"
)

// kinds has the status and the title of each code.
var kinds = map[Code]struct {
	status int
	title  string
}{
	BadJSON:               {400, "The body is not valid JSON"},
	BadField:              {400, "A field is wrong"},
	ReservedEvent:         {400, "The name of the event is reserved"},
	BadRequest:            {400, "The HTTP request is malformed"},
	Unauthorized:          {401, "A valid key is needed"},
	Forbidden:             {403, "The request is not allowed"},
	UnknownNamespace:      {404, "There is no such namespace"},
	NotFound:              {404, "There is nothing here"},
	MethodNotAllowed:      {405, "The method is not allowed here"},
	IdempotencyInProgress: {409, "A request with this Idempotency-Key is under way"},
	TooLarge:              {413, "Too large"},
	UnsupportedMediaType:  {415, "The body has to be JSON"},
	IdempotencyConflict:   {422, "The Idempotency-Key belongs to another request"},
	BadConfig:             {422, "The configuration is wrong"},
	RateLimited:           {429, "Too many requests"},
	RequestTimeout:        {408, "The request came too slowly"},
	HeadTooLarge:          {431, "The head of the request is too large"},
	Internal:              {500, "Internal error"},
	Cluster:               {502, "Other nodes were not reached"},
	Overloaded:            {503, "The node is overloaded"},
	Draining:              {503, "The node is shutting down"},
}

// Codes returns all codes, in no order.
func Codes() []Code {
	out := make([]Code, 0, len(kinds))
	for c := range kinds {
		out = append(out, c)
	}
	return out
}

// Status is the HTTP status that goes with the code.
func (c Code) Status() int { return kinds[c].status }

// Title is the code in words.
func (c Code) Title() string { return kinds[c].title }

// Line is one error of a configuration. Immutable.
type Line struct {
	// Line is the line of the file, 0 where there is none. Key is the key in the file.
	Line         int
	Key, Message string
}

// Problem is an error as the client reads it. Immutable once it is returned. It implements error.
type Problem struct {
	Code Code
	// Detail says in a sentence what is wrong. Field is the path of the field that is, such as "emits[3].rooms[0]"; empty
	// when the error is of none.
	Detail, Field string
	// Errors are all errors of a configuration.
	Errors []Line
	// RetryAfter, when above 0, tells the client when to try again.
	RetryAfter time.Duration
	// Allow are the methods of a path, for MethodNotAllowed.
	Allow string
}

// New makes a Problem of no field.
func New(code Code, detail string) *Problem { return &Problem{Code: code, Detail: detail} }

// Field makes a Problem of a field.
func Field(code Code, field, detail string) *Problem {
	return &Problem{Code: code, Field: field, Detail: detail}
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Field != "" {
		return string(p.Code) + ": " + p.Field + ": " + p.Detail
	}
	return string(p.Code) + ": " + p.Detail
}

// Type is the URI that names the kind of problem.
func (p *Problem) Type() string { return "urn:siren:problem:" + string(p.Code) }

// ContentType is the media type of a problem.
const ContentType = "application/problem+json"

// Append appends the problem as JSON. Where it is a part of an answer, it has no member "type".
func (p *Problem) Append(dst []byte, part bool) []byte {
	dst = append(dst, '{')
	if !part {
		dst = append(appendString(append(dst, `"type":`...), p.Type()), ',')
	}
	dst = appendString(append(dst, `"title":`...), p.Code.Title())
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(p.Code.Status()), 10)
	dst = appendString(append(dst, `,"detail":`...), p.Detail)
	dst = appendString(append(dst, `,"code":`...), string(p.Code))
	if p.Field != "" {
		dst = appendString(append(dst, `,"field":`...), p.Field)
	}
	if p.Errors != nil {
		dst = append(dst, `,"errors":[`...)
		for i, e := range p.Errors {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(append(dst, `{"line":`...), int64(e.Line), 10)
			dst = appendString(append(dst, `,"key":`...), e.Key)
			dst = append(appendString(append(dst, `,"message":`...), e.Message), '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// appendString appends a JSON string; invalid UTF-8 is replaced.
func appendString(dst []byte, s string) []byte {
	out, _ := jsontext.AppendQuote(dst, s) // the error tells of invalid UTF-8, which is replaced
	return out
}

// Seconds is a RetryAfter as the header field has it: whole seconds, at least one.
func Seconds(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}
