// Package streams holds programs on client-go that need containers, as tests: commands in a pod and its ports, over
// WebSockets and over SPDY. The pod is $POD of $NAMESPACE in the cluster of $KUBECONFIG: it has nginx on port 80, and sh.
package streams

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

const patience = 60 * time.Second

var kinds = []string{"WebSocket", "SPDY"}

func connect(t *testing.T) (*rest.Config, *kubernetes.Clientset) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return config, client
}

func address(client *kubernetes.Clientset, subresource string, options *corev1.PodExecOptions) *url.URL {
	request := client.CoreV1().RESTClient().Post().Resource("pods").
		Namespace(os.Getenv("NAMESPACE")).Name(os.Getenv("POD")).SubResource(subresource)
	if options != nil {
		request.VersionedParams(options, scheme.ParameterCodec)
	}
	return request.URL()
}

// run has a command run in the pod; what it wrote.
func run(t *testing.T, kind string, stdin io.Reader, tty bool, sizes remotecommand.TerminalSizeQueue, command ...string) (string, string, error) {
	t.Helper()
	config, client := connect(t)
	where := address(client, "exec", &corev1.PodExecOptions{
		Command: command, Stdin: stdin != nil, Stdout: true, Stderr: !tty, TTY: tty,
	})
	var executor remotecommand.Executor
	var err error
	if kind == "SPDY" {
		executor, err = remotecommand.NewSPDYExecutor(config, http.MethodPost, where)
	} else {
		executor, err = remotecommand.NewWebSocketExecutor(config, http.MethodGet, where.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	var out, wrong bytes.Buffer
	options := remotecommand.StreamOptions{Stdin: stdin, Stdout: &out, Tty: tty, TerminalSizeQueue: sizes}
	if !tty {
		options.Stderr = &wrong
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = executor.StreamWithContext(ctx, options)
	return out.String(), wrong.String(), err
}

func TestCommands(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			out, wrong, err := run(t, kind, nil, false, nil, "sh", "-c", "echo out; echo wrong >&2; exit 3")
			var code exec.CodeExitError
			if !errors.As(err, &code) || code.ExitStatus() != 3 || code.Error() != "command terminated with exit code 3" {
				t.Fatalf("exit code: %v", err)
			}
			if out != "out\n" || wrong != "wrong\n" {
				t.Fatalf("outputs: %q, %q", out, wrong)
			}
			// The end of the input reaches the command.
			sent := strings.Repeat("0123456789abcde\n", 1<<16)
			out, _, err = run(t, kind, strings.NewReader(sent), false, nil, "sh", "-c", "cat; echo end")
			if err != nil || out != sent+"end\n" {
				t.Fatalf("%d bytes of %d came back: %v", len(out), len(sent)+4, err)
			}
			_, _, err = run(t, kind, nil, false, nil, "no-such-program")
			if err == nil || !strings.Contains(err.Error(), "no-such-program") {
				t.Fatalf("a program that is not there: %v", err)
			}
		})
	}
}

// sizes says one size, then none.
type sizes chan remotecommand.TerminalSize

func (s sizes) Next() *remotecommand.TerminalSize {
	if size, open := <-s; open {
		return &size
	}
	return nil
}

func TestATerminalOfASize(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			wanted := make(sizes, 1)
			wanted <- remotecommand.TerminalSize{Width: 97, Height: 31}
			defer close(wanted)
			input, typing := io.Pipe()
			defer typing.Close()
			look := `until [ "$(stty size)" = "31 97" ]; do :; done; stty size; read line; echo "got $line"`
			go func() { _, _ = io.WriteString(typing, "typed\n") }()
			out, _, err := run(t, kind, input, true, wanted, "sh", "-c", look)
			if err != nil || !strings.Contains(out, "31 97\r\n") || !strings.Contains(out, "got typed\r\n") {
				t.Fatalf("%q, %v", out, err)
			}
		})
	}
}

func TestACommandBrokenOff(t *testing.T) {
	config, client := connect(t)
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			where := address(client, "exec", &corev1.PodExecOptions{Command: []string{"sh", "-c", "echo begun; sleep 600"}, Stdout: true})
			executor, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, where)
			if kind == "WebSocket" {
				executor, err = remotecommand.NewWebSocketExecutor(config, http.MethodGet, where.String())
			}
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			output, writing := io.Pipe()
			done := make(chan error, 1)
			go func() { done <- executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: writing}) }()
			if _, err := io.ReadFull(output, make([]byte, len("begun\n"))); err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Fatalf("broken off: %v", err)
			}
		})
	}
}

func dial(t *testing.T, kind string) httpstream.Dialer {
	t.Helper()
	config, client := connect(t)
	where := address(client, "portforward", nil)
	if kind == "WebSocket" {
		dialer, err := portforward.NewSPDYOverWebsocketDialer(where, config)
		if err != nil {
			t.Fatal(err)
		}
		return dialer
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		t.Fatal(err)
	}
	return spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, where)
}

func TestPortsOfAPod(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ready := make(chan struct{})
			var said, wrong bytes.Buffer
			forwarder, err := portforward.NewOnAddressesWithContext(ctx, dial(t, kind), []string{"127.0.0.1"}, []string{"0:80", "0:81"}, ready, &said, &wrong)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- forwarder.ForwardPorts() }()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatalf("it ended: %v", err)
			}
			ports, err := forwarder.GetPorts()
			if err != nil || len(ports) != 2 || ports[0].Remote != 80 {
				t.Fatalf("%v, %v", ports, err)
			}
			// Several connections at once, then one after the other on a connection kept.
			client := &http.Client{Timeout: patience}
			pages := make(chan error, 8)
			for range cap(pages) {
				go func() { pages <- page(client, ports[0].Local) }()
			}
			for range cap(pages) {
				if err := <-pages; err != nil {
					t.Error(err)
				}
			}
			// Nobody listens there: client-go then gives up the whole connection to the pod.
			if err := page(client, ports[1].Local); err == nil {
				t.Error("port 81 answers")
			}
			client.CloseIdleConnections()
			cancel()
			// Whichever is seen first: that it was given up, or that it was called off.
			if err := <-ended; err != nil && !errors.Is(err, portforward.ErrLostConnectionToPod) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func page(client *http.Client, port uint16) error {
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && (response.StatusCode != 200 || !bytes.Contains(body, []byte("nginx"))) {
		return fmt.Errorf("%d: %s", response.StatusCode, body)
	}
	return err
}
