package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/seed58c87869/siren/cmd/siren/node"
	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/cmd/siren/node/token"
)

// defaultExpiry is long enough to try something.
const defaultExpiry = time.Hour

// newTokenCommand signs tokens, for tests.
func newTokenCommand() *cobra.Command {
	var grant token.Grant
	var file, data string
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Sign a token with the configured secret, for tests",
		Long: `Signs a JSON Web Token with the first of auth.jwt.hmac_secrets, and writes it. A
client gives it as auth: {token}. Without --join, --publish or --namespace the
token allows what the rules of the namespaces allow.`,
		Example: "  siren token --config siren.yaml --sub ada --expires 1h --join 'room-*'",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "config", "", "file with the configuration of the node")
	flags.StringVar(&grant.Subject, "sub", "", "the user")
	flags.DurationVar(&grant.Expires, "expires", defaultExpiry, "time until it expires; 0: never")
	flags.StringArrayVar(&grant.Namespaces, "namespace", nil, "pattern of namespaces that it is for; may be repeated")
	flags.StringArrayVar(&grant.Join, "join", nil, "pattern of rooms that its client may join; may be repeated")
	flags.StringArrayVar(&grant.Publish, "publish", nil, "pattern of rooms that its client may publish to; may be repeated")
	flags.StringArrayVar(&grant.Rooms, "room", nil, "room that its client joins when it connects; may be repeated")
	flags.StringVar(&data, "data", "", "JSON that belongs to its sockets")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if grant.Expires < 0 {
			return errors.New("--expires must not be negative")
		}
		if data != "" {
			if !json.Valid([]byte(data)) {
				return errors.New("--data is not JSON")
			}
			grant.Data = jsontext.Value(data)
		}
		loaded, err := config.Load(config.Sources{File: file, Environ: os.Environ()})
		if err != nil {
			return err
		}
		text, err := node.TokenConfig(&loaded.Config).Sign(grant)
		if errors.Is(err, token.ErrNoSecret) {
			return errors.New("there is no secret to sign with: set auth.jwt.hmac_secrets, in the file of --config or in SIREN_AUTH__JWT__HMAC_SECRETS")
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
		return err
	}
	return cmd
}
