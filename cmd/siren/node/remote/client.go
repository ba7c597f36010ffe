// Package remote calls the API of a node, for the command line.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answerMax bounds an answer, in bytes: that of a call with all its replies in base64 is the largest.
const answerMax = 64 << 20

// Client calls a node. Safe for concurrent use.
type Client struct {
	base string
	key  string
	http http.Client
}

// New makes a client for the operators' listener at an address: a URL (http, https), host:port, or unix:///path. key may be
// empty.
func New(address, key string) (*Client, error) {
	c := &Client{key: key}
	transport := &http.Transport{MaxIdleConnsPerHost: 1, ResponseHeaderTimeout: 90 * time.Second}
	c.http.Transport = transport
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		if path == "" {
			return nil, fmt.Errorf("the address %q has no path", address)
		}
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
		c.base = "http://localhost"
		return c, nil
	}
	address = strings.TrimPrefix(address, "tcp://")
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a node: give a URL such as http://127.0.0.1:3001, or unix:///path", address)
	}
	c.base = strings.TrimSuffix(u.String(), "/")
	return c, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Error is a problem that the node has answered with.
type Error struct {
	Status        int
	Code          string
	Title, Detail string
	Field         string
	Errors        []struct {
		Line         int
		Key, Message string
	}
}

// Error is a line for people.
func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	for _, l := range e.Errors {
		text += fmt.Sprintf("; line %d: %s: %s", l.Line, l.Key, l.Message)
	}
	switch {
	case e.Code == "":
		return fmt.Sprintf("the node answered %d: is this its operators' listener?", e.Status)
	case e.Code == "unauthorized":
		return text + " (--api-key or SIREN_API_KEY)"
	}
	return text + " (" + e.Code + ")"
}

// Call makes a call with a body, which is encoded as JSON unless it is bytes, and returns the answer. Errors: *Error, or
// why the node cannot be reached.
func (c *Client) Call(ctx context.Context, call string, body any) ([]byte, error) {
	text, ok := body.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/api/"+call, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("cannot reach the node at %s: %w", c.base, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return nil, fmt.Errorf("the answer of the node broke off: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return answer, nil
	}
	failed := &Error{}
	if json.Unmarshal(answer, failed) != nil {
		failed = &Error{}
	}
	failed.Status = resp.StatusCode
	return nil, failed
}
