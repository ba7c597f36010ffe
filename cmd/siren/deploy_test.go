package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seed58c87869/siren/cmd/siren/node/config"
	"github.com/seed58c87869/siren/server"
)

// deployFile reads a file of deploy/, and replaces parts of it by those of the test: each must be there.
func deployFile(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(string(text), oldnew[i]) {
			t.Fatalf("%s has no %q", name, oldnew[i])
		}
	}
	return strings.NewReplacer(oldnew...).Replace(string(text))
}

// wantServeArguments checks a command line of siren serve, without running it.
func wantServeArguments(t *testing.T, args []string) {
	t.Helper()
	root := newRootCommand()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd.Name() != "serve" {
		t.Fatalf("%v is no siren serve: %v", args, err)
	}
	if err := cmd.ParseFlags(rest); err != nil || len(cmd.Flags().Args()) > 0 {
		t.Errorf("%v: %v, left over %v", args, err, cmd.Flags().Args())
	}
}

// drainTime returns how long the end of a node with this configuration may take.
func drainTime(c *config.Config) time.Duration { return c.Drain.Grace + c.Drain.Timeout }

// lastSteps is how much longer a supervisor has to wait at least: for the log, and for the operators' listener.
const lastSteps = 10 * time.Second

// unit is a unit file of systemd: the values of its keys in their order.
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	u := unit{}
	for line := range strings.Lines(deployFile(t, name)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// The units run what there is, wait as long as a node may take to end, and call its sockets as it does.
func TestDeployUnits(t *testing.T) {
	u := readUnit(t, "siren.service")
	program := "/usr/local/bin/siren"
	start, ok := strings.CutPrefix(u["ExecStart"][0], program+" ")
	if !ok {
		t.Fatalf("ExecStart is %q", u["ExecStart"])
	}
	wantServeArguments(t, strings.Fields(start))
	if got := u["ExecStartPre"][0]; got != program+" config check /etc/siren/siren.yaml" || !strings.Contains(start, " /etc/siren/siren.yaml") {
		t.Errorf("ExecStartPre checks another file: %q", got)
	}
	stop, err := time.ParseDuration(u["TimeoutStopSec"][0])
	def := config.Default()
	if least := drainTime(&def) + lastSteps; err != nil || stop < least {
		t.Errorf("TimeoutStopSec is %v, %v; the end may take %v", u["TimeoutStopSec"], err, least)
	}
	for name, want := range map[string]struct{ socket, port string }{
		"siren.socket": {"clients", ":3000"}, "siren-admin.socket": {"admin", "127.0.0.1:3001"},
	} {
		s := readUnit(t, name)
		if s["FileDescriptorName"][0] != want.socket || s["Service"][0] != "siren.service" {
			t.Errorf("%s: %v", name, s)
		}
		if listen := s["ListenStream"][0]; !strings.HasSuffix(want.port, listen) {
			t.Errorf("%s listens on %s, the node by default on %s", name, listen, want.port)
		}
	}
	if def.Listen[0] != "tcp://:3000" || def.Admin.Listen != "127.0.0.1:3001" {
		t.Errorf("the defaults are %v and %v now", def.Listen, def.Admin.Listen)
	}
}

// systemd understands the units, and finds little that the service may do and need not.
func TestDeployUnitsUnderSystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	units := []string{"siren.service", "siren.socket", "siren-admin.socket"}
	for i, name := range units {
		text := deployFile(t, name)
		if i == 0 {
			text = strings.ReplaceAll(text, "/usr/local/bin/siren", self)
		}
		units[i] = filepath.Join(dir, name)
		if err := os.WriteFile(units[i], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=yes", "--no-pager", "--threshold=15", units[0]).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Skip("systemd is too old for security --offline")
	}
	if err != nil || !strings.Contains(string(out), "Overall exposure level") {
		t.Errorf("security: %v\n%s", err, out)
	}
}

// manifest is what the tests look at in the objects of Kubernetes.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Data       map[string]string
	Spec       struct {
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				Grace           int `yaml:"terminationGracePeriodSeconds"`
				SecurityContext struct {
					NonRoot bool `yaml:"runAsNonRoot"`
					User    int  `yaml:"runAsUser"`
				} `yaml:"securityContext"`
				Containers []container
			}
		}
		Selector any
		Ports    []struct {
			Name       string
			TargetPort string `yaml:"targetPort"`
		}
	}
}

type container struct {
	Image string
	Args  []string
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe, LivenessProbe, ReadinessProbe probe
	Lifecycle                                   struct {
		PreStop struct {
			Sleep struct{ Seconds int }
		} `yaml:"preStop"`
	}
	SecurityContext struct {
		Escalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnly   bool  `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
	Resources struct {
		Requests, Limits map[string]string
	}
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	Get struct{ Path, Port string } `yaml:"httpGet"`
}

// kubernetes reads the objects of the sample, each once.
func kubernetes(t *testing.T) map[string]manifest {
	t.Helper()
	objects := map[string]manifest{}
	// yaml.v3 takes the names of fields in lower case.
	text := strings.NewReplacer("startupProbe", "startupprobe", "livenessProbe", "livenessprobe", "readinessProbe", "readinessprobe").
		Replace(deployFile(t, "kubernetes.yaml"))
	for _, part := range strings.Split(text, "\n---\n") {
		var m manifest
		if err := yaml.Unmarshal([]byte(part), &m); err != nil {
			t.Fatalf("%v in\n%s", err, part)
		}
		if _, twice := objects[m.Kind]; twice || m.APIVersion == "" || m.Metadata.Name != "siren" {
			t.Errorf("got %+v", m)
		}
		objects[m.Kind] = m
	}
	return objects
}

// The objects of Kubernetes fit each other and the node: its flags, configuration, ports, checks and its end.
func TestDeployKubernetes(t *testing.T) {
	objects := kubernetes(t)
	for _, kind := range []string{"ConfigMap", "Deployment", "Service", "PodDisruptionBudget"} {
		if _, ok := objects[kind]; !ok {
			t.Fatalf("there is no %s", kind)
		}
	}
	pod := objects["Deployment"].Spec.Template.Spec
	c := pod.Containers[0]
	file := filepath.Join(t.TempDir(), "siren.yaml")
	if err := os.WriteFile(file, []byte(objects["ConfigMap"].Data["siren.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(config.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	wantServeArguments(t, c.Args)
	if len(c.VolumeMounts) != 1 || c.Args[len(c.Args)-1] != c.VolumeMounts[0].MountPath+"/siren.yaml" {
		t.Errorf("the configuration is mounted at %v, and read from %v", c.VolumeMounts, c.Args)
	}
	if want := "siren:" + server.Version; !strings.HasSuffix(c.Image, "/"+want) {
		t.Errorf("the image is %s, want %s", c.Image, want)
	}
	grace := time.Duration(pod.Grace)*time.Second - time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second
	if least := drainTime(&loaded.Config) + lastSteps; grace < least || c.Lifecycle.PreStop.Sleep.Seconds < 1 {
		t.Errorf("after preStop the pod has %v, its end may take %v", grace, least)
	}
	if len(c.Ports) != 1 || loaded.Config.Listen[0] != fmt.Sprintf("tcp://:%d", c.Ports[0].ContainerPort) {
		t.Errorf("ports are %v, the node listens on %v", c.Ports, loaded.Config.Listen)
	}
	if ports := objects["Service"].Spec.Ports; len(ports) != 1 || ports[0].TargetPort != c.Ports[0].Name {
		t.Errorf("the service leads to %v", ports)
	}
	if !pod.SecurityContext.NonRoot || pod.SecurityContext.User == 0 || c.SecurityContext.Escalation == nil || *c.SecurityContext.Escalation || !c.SecurityContext.ReadOnly {
		t.Errorf("the pod may do more than it needs: %+v, %+v", pod.SecurityContext, c.SecurityContext)
	}
	if c.Resources.Limits["memory"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Requests["cpu"] == "" {
		t.Errorf("resources are %v", c.Resources)
	}
	n := startNode(t, "--config", file, "--log-format", "text")
	for what, p := range map[string]probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p.Get.Port != c.Ports[0].Name {
			t.Errorf("the %s probe asks %q", what, p.Get.Port)
		}
		if status, body := get(t, "http://"+n.addr+p.Get.Path); status != http.StatusOK || body != "ok\n" {
			t.Errorf("the %s probe gets %d %q", what, status, body)
		}
	}
}

// The image builds what the Makefile builds, with the Go of go.mod, and runs it as nobody.
func TestDeployDockerfile(t *testing.T) {
	lines := map[string][]string{}
	for line := range strings.Lines(deployFile(t, "Dockerfile")) {
		if word, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && word != "#" {
			lines[word] = append(lines[word], rest)
		}
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))[1]
	if from := lines["FROM"]; len(from) != 2 || from[0] != "golang:"+goVersion+" AS build" || from[1] != "scratch" {
		t.Errorf("FROM %q, go.mod has %s", from, goVersion)
	}
	if run := lines["RUN"]; run[len(run)-1] != "make siren" || lines["COPY"][len(lines["COPY"])-1] != "--from=build /src/bin/siren /siren" {
		t.Errorf("RUN %q, COPY %q", run, lines["COPY"])
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil || !strings.Contains(string(makefile), "\nsiren:") || !strings.Contains(string(makefile), "SIREN    := bin/siren\n") {
		t.Errorf("the Makefile does not make bin/siren: %v", err)
	}
	user := lines["USER"]
	if len(user) != 1 || !regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`).MatchString(user[0]) {
		t.Errorf("USER %q", user)
	}
	if pod := kubernetes(t)["Deployment"].Spec.Template.Spec; user[0] != fmt.Sprintf("%d:%[1]d", pod.SecurityContext.User) {
		t.Errorf("USER %q, and %d on Kubernetes", user, pod.SecurityContext.User)
	}
	var args []string
	if err := yaml.Unmarshal([]byte(lines["CMD"][0]), &args); err != nil || lines["ENTRYPOINT"][0] != `["/siren"]` {
		t.Fatalf("CMD %q: %v", lines["CMD"], err)
	}
	wantServeArguments(t, args)
}

// The kernel knows the settings, and the page about production has the same values.
func TestDeploySysctl(t *testing.T) {
	page, err := os.ReadFile("../../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(deployFile(t, "sysctl.conf")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Fatalf("%q is no setting", line)
		}
		for _, field := range strings.Fields(value) {
			if _, err := strconv.ParseUint(field, 10, 63); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
		settings[key] = value
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("docs/deployment.md does not say what %s is for", key)
		}
		if _, err := os.Stat("/proc/sys"); err != nil {
			continue
		}
		if _, err := os.Stat("/proc/sys/" + strings.ReplaceAll(key, ".", "/")); err != nil {
			t.Errorf("the kernel has no %s: %v", key, err)
		}
	}
	for _, key := range []string{"fs.nr_open", "fs.file-max", "net.core.somaxconn"} {
		if row := "| `" + key + "` | " + settings[key] + " |"; !strings.Contains(strings.ReplaceAll(string(page), "`, `net.ipv4.tcp_max_syn_backlog", ""), row) {
			t.Errorf("docs/deployment.md has no row %s", row)
		}
	}
}
