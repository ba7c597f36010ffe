package bench

import (
	"errors"
	"strings"
	"testing"
)

// A session that fails says what it waited for, and what came.
func TestFailuresSayWhatWasExpected(t *testing.T) {
	for _, tt := range []struct {
		phase  phase
		packet string
		is     error
		want   string
	}{
		{phaseOpening, "9", errPacket, `expected the Engine.IO handshake, got "9"`},
		{phaseOpening, "0{}", errPacket, `expected the Engine.IO handshake, got "{}"`},
		{phaseConnecting, `42["hello"]`, errPacket, `expected the answer of the namespace, got "2[\"hello\"]"`},
		{phaseConnecting, `44{"message":"no"}`, errRefused, `namespace refused: "{\"message\":\"no\"}"`},
		{phaseJoining, `430["no"]`, errPacket, `expected the acknowledgement that it has joined, got "30[\"no\"]"`},
		{phaseJoining, "", errPacket, `got ""`},
	} {
		s, _, _ := newTestSubscriber(t, Config{Size: 64})
		s.phase = tt.phase
		if err := s.packet([]byte(tt.packet), 1); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.packet, err)
		}
		if err := s.late(); !errors.Is(err, errHandshakeTimeout) || !strings.Contains(err.Error(), "--in-flight") {
			t.Error(err)
		}
	}
}
