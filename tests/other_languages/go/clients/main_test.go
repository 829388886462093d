package clients

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	protobuf = "application/vnd.kubernetes.protobuf"
	restart  = "wherry: restart"
)

var answers = bufio.NewReader(os.Stdin)

func TestMain(m *testing.M) {
	if name := os.Getenv("CANDIDATE"); name != "" {
		runCandidate(name)
		return
	}
	os.Exit(m.Run())
}

// connect is how programs outside a cluster find it.
func connect() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

func configure(t *testing.T) *rest.Config {
	t.Helper()
	return must[*rest.Config](t)(connect())
}

func typed(t *testing.T) *kubernetes.Clientset {
	t.Helper()
	return must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(configure(t)))
}

// namespace makes a namespace that goes with the test.
func namespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	made := must[*corev1.Namespace](t)(client.CoreV1().Namespaces().Create(
		t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "clients-"}}, metav1.CreateOptions{}))
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return made.Name
}

func must[T any](t *testing.T) func(T, error) T {
	return func(made T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", what)
}

func configMap(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
}

func create(t *testing.T, client kubernetes.Interface, namespace string, objects ...*corev1.ConfigMap) *corev1.ConfigMap {
	t.Helper()
	var last *corev1.ConfigMap
	for _, object := range objects {
		last = must[*corev1.ConfigMap](t)(
			client.CoreV1().ConfigMaps(namespace).Create(t.Context(), object, metav1.CreateOptions{}))
	}
	return last
}

func canRestart(t *testing.T) {
	t.Helper()
	if os.Getenv("WHERRY_RESTARTS") == "" {
		t.Skip("nobody restarts the API server here")
	}
}

// restartServer returns when a successor without history serves.
func restartServer(t *testing.T) {
	t.Helper()
	fmt.Printf("\n%s\n", restart)
	if line, err := answers.ReadString('\n'); err != nil || strings.TrimSpace(line) != "done" {
		t.Fatalf("restart: %q, %v", line, err)
	}
}

// call is what went over the wire.
type call struct{ method, url, sent, got string }

// tape writes down the calls of a client.
type tape struct {
	mutex sync.Mutex
	calls []call
	next  http.RoundTripper
}

func record(config *rest.Config) *tape {
	made := &tape{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { made.next = next; return made })
	return made
}

func (t *tape) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.calls = append(t.calls, call{
		request.Method, request.URL.String(), request.Header.Get("Content-Type"), response.Header.Get("Content-Type"),
	})
	return response, nil
}

func (t *tape) matching(part string) []call {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var found []call
	for _, one := range t.calls {
		if strings.Contains(one.url, part) {
			found = append(found, one)
		}
	}
	return found
}
