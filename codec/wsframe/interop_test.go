package wsframe

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

var interopSizes = []int{0, 1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 124, 125, 126, 127, 128, 1000, 65535, 65536, 65537}

// The reader, as a server, reads what gobwas/ws writes as a client.
func TestReadsWhatGobwasWrites(t *testing.T) {
	for _, size := range interopSizes {
		payload := strings.Repeat("0123456789é", size/12+1)[:size]
		var stream bytes.Buffer
		if err := wsutil.WriteClientMessage(&stream, ws.OpBinary, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		compiled, err := ws.CompileFrame(ws.MaskFrame(ws.NewBinaryFrame([]byte(payload))))
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(compiled)
		// A writer with a small buffer produces fragments.
		w := wsutil.NewWriterSize(&stream, ws.StateClientSide, ws.OpBinary, 256)
		if _, err := io.Copy(w, strings.NewReader(payload)); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := wsutil.WriteClientMessage(&stream, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "ok")); err != nil {
			t.Fatal(err)
		}
		events := []event{bin(payload), bin(payload)}
		if size > 0 { // the writer sends nothing when nothing was written
			events = append(events, bin(payload))
		}
		expect(t, stream.Bytes(), nil, outcome{
			events: append(events, closing(1000, "ok")),
			taken:  stream.Len(),
		})
	}
}

// The reader, as a client, reads what gobwas/ws writes as a server.
func TestReadsWhatGobwasWritesAsServer(t *testing.T) {
	for _, size := range interopSizes {
		payload := strings.Repeat("x", size)
		var stream bytes.Buffer
		if err := wsutil.WriteServerText(&stream, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		stream.Write(ws.CompiledPing)
		stream.Write(ws.CompiledCloseGoingAway)
		expect(t, stream.Bytes(), &Limits{Client: true}, outcome{
			events: []event{text(payload), ping(""), closing(1001, "")},
			taken:  stream.Len(),
		})
	}
}

// gobwas/ws, as a client, reads the frames of a server.
func TestGobwasReadsWhatWeWrite(t *testing.T) {
	for _, size := range interopSizes {
		payload := []byte(strings.Repeat("é", size)[:size])
		one := AppendFrame(nil, ws.OpBinary, payload)
		if compiled := ws.MustCompileFrame(ws.NewBinaryFrame(payload)); !bytes.Equal(one, compiled) {
			t.Errorf("%d bytes: CompileFrame makes another frame", size)
		}
		f, err := ws.ReadFrame(bytes.NewReader(one))
		if err != nil || !bytes.Equal(f.Payload, payload) || ws.CheckHeader(f.Header, ws.StateClientSide) != nil {
			t.Errorf("%d bytes: %+v, %v", size, f.Header, err)
		}

		half := size / 2
		stream := append(AppendHeader(one, ws.OpBinary, false, half), payload[:half]...)
		stream = append(AppendHeader(stream, ws.OpContinuation, true, size-half), payload[half:]...)
		both := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(stream), io.Discard}
		for range 2 {
			got, op, err := wsutil.ReadServerData(both)
			if err != nil || op != ws.OpBinary || !bytes.Equal(got, payload) {
				t.Errorf("%d bytes: %d read, opcode %d, %v", size, len(got), op, err)
			}
		}
	}
	f, err := ws.ReadFrame(bytes.NewReader(AppendClose(nil, ws.StatusPolicyViolation, "no")))
	if code, reason := ws.ParseCloseFrameData(f.Payload); err != nil || code != ws.StatusPolicyViolation || reason != "no" {
		t.Errorf("%d %q, %v", code, reason, err)
	}
}

// gobwas/ws, as a server, reads the frames of a client.
func TestGobwasReadsWhatWeMask(t *testing.T) {
	for _, size := range interopSizes {
		payload := []byte(strings.Repeat("x", size))
		both := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(AppendMaskedFrame(nil, ws.OpText, true, testMask, payload)), io.Discard}
		got, op, err := wsutil.ReadClientData(both)
		if err != nil || op != ws.OpText || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: %d read, opcode %d, %v", size, len(got), op, err)
		}
	}
}
