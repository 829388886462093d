package clients

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applyapps "k8s.io/client-go/applyconfigurations/apps/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	applymeta "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
)

func TestTypedClientsSpeakProtobuf(t *testing.T) {
	config := configure(t)
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf + ",application/json"
	heard := record(config)
	client := must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(config))
	maps := client.CoreV1().ConfigMaps(namespace(t, client))

	made := must[*corev1.ConfigMap](t)(maps.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Labels: map[string]string{"a": "b"}},
		Data:       map[string]string{"key": "value"}, BinaryData: map[string][]byte{"raw": {0, 255}},
	}, metav1.CreateOptions{}))
	if made.UID == "" || made.Data["key"] != "value" || !slices.Equal(made.BinaryData["raw"], []byte{0, 255}) {
		t.Fatalf("created: %v", made)
	}
	watcher := must[watch.Interface](t)(maps.Watch(t.Context(), metav1.ListOptions{ResourceVersion: made.ResourceVersion}))
	defer watcher.Stop()
	made.Data["key"] = "other"
	updated := must[*corev1.ConfigMap](t)(maps.Update(t.Context(), made, metav1.UpdateOptions{}))
	patched := must[*corev1.ConfigMap](t)(maps.Patch(
		t.Context(), "one", types.StrategicMergePatchType, []byte(`{"data":{"more":"1"}}`), metav1.PatchOptions{}))
	if patched.Data["key"] != "other" || patched.Data["more"] != "1" || patched.ResourceVersion == updated.ResourceVersion {
		t.Fatalf("patched: %v", patched)
	}
	for _, value := range []string{"", "1"} {
		event := <-watcher.ResultChan()
		if found, ok := event.Object.(*corev1.ConfigMap); !ok || event.Type != watch.Modified || found.Data["more"] != value {
			t.Fatalf("watched: %v", event)
		}
	}
	list := must[*corev1.ConfigMapList](t)(maps.List(t.Context(), metav1.ListOptions{LabelSelector: "a=b"}))
	if len(list.Items) != 1 || list.Items[0].Data["more"] != "1" {
		t.Fatalf("listed: %v", list.Items)
	}
	_, err := maps.Create(t.Context(), configMap("one", nil), metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) || err.Error() != `configmaps "one" already exists` {
		t.Fatalf("created again: %v", err)
	}
	_, err = maps.Create(t.Context(), configMap("Not valid", nil), metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) || !apierrors.HasStatusCause(err, metav1.CauseTypeFieldValueInvalid) {
		t.Fatalf("created with a bad name: %v", err)
	}
	check(t, maps.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "a=b"}))
	if _, err = maps.Get(t.Context(), "one", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Fatalf("read after deletion: %v", err)
	}
	for _, one := range heard.matching("/configmaps") {
		if !strings.HasPrefix(one.got, protobuf) {
			t.Errorf("%s %s was answered in %s", one.method, one.url, one.got)
		}
	}
}

func TestEveryBuiltInGroupListsInProtobuf(t *testing.T) {
	config := configure(t)
	config.ContentType = protobuf
	config.AcceptContentTypes = protobuf
	config.WarningHandler = rest.NoWarnings{}
	client := must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(config))
	_, lists, err := client.Discovery().ServerGroupsAndResources()
	check(t, err)
	count := 0
	for _, list := range lists {
		path := "/apis/" + list.GroupVersion
		if list.GroupVersion == "v1" {
			path = "/api/v1"
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || strings.HasSuffix(list.GroupVersion, "example.org/v1") {
				continue
			}
			raw := client.RESTClient().Get().AbsPath(path, resource.Name).SetHeader("Accept", protobuf).Do(t.Context())
			var kind string
			if raw.ContentType(&kind); !strings.HasPrefix(kind, protobuf) || raw.Error() != nil {
				t.Errorf("%s/%s: %s, %v", path, resource.Name, kind, raw.Error())
			}
			count++
		}
	}
	if count < 40 {
		t.Fatalf("only %d kinds", count)
	}
}

func TestConcurrentWritersRetryOnConflict(t *testing.T) {
	client := typed(t)
	maps := client.CoreV1().ConfigMaps(namespace(t, client))
	must[*corev1.ConfigMap](t)(maps.Create(t.Context(), configMap("count", map[string]string{"n": "0"}), metav1.CreateOptions{}))
	old := must[*corev1.ConfigMap](t)(maps.Get(t.Context(), "count", metav1.GetOptions{}))
	backoff := retry.DefaultBackoff
	backoff.Steps = 50
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 10 {
				err := retry.RetryOnConflict(backoff, func() error {
					found, err := maps.Get(t.Context(), "count", metav1.GetOptions{})
					if err != nil {
						return err
					}
					number, err := strconv.Atoi(found.Data["n"])
					if err != nil {
						return err
					}
					found.Data["n"] = strconv.Itoa(number + 1)
					_, err = maps.Update(t.Context(), found, metav1.UpdateOptions{})
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if found := must[*corev1.ConfigMap](t)(maps.Get(t.Context(), "count", metav1.GetOptions{})); found.Data["n"] != "40" {
		t.Fatalf("40 were counted as %s", found.Data["n"])
	}
	_, err := maps.Update(t.Context(), old, metav1.UpdateOptions{})
	said := `Operation cannot be fulfilled on configmaps "count": the object has been modified; ` +
		`please apply your changes to the latest version and try again`
	if !apierrors.IsConflict(err) || err.Error() != said {
		t.Fatalf("an old version: %v", err)
	}
}

func deployment(namespace, image string) *applyapps.DeploymentApplyConfiguration {
	labels := map[string]string{"app": "web"}
	return applyapps.Deployment("web", namespace).WithSpec(applyapps.DeploymentSpec().
		WithReplicas(2).
		WithSelector(applymeta.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(applycore.PodTemplateSpec().WithLabels(labels).WithSpec(applycore.PodSpec().
			WithContainers(applycore.Container().WithName("web").WithImage(image).
				WithPorts(applycore.ContainerPort().WithContainerPort(80))))))
}

func TestServerSideApply(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	deployments := client.AppsV1().Deployments(space)
	apply := func(what *applyapps.DeploymentApplyConfiguration, manager string, force bool) (*appsv1.Deployment, error) {
		return deployments.Apply(t.Context(), what, metav1.ApplyOptions{FieldManager: manager, Force: force})
	}
	must[*appsv1.Deployment](t)(apply(deployment(space, "web:1"), "first", false))
	_, err := apply(deployment(space, "web:2"), "second", false)
	wanted := `Apply failed with 1 conflict: conflict with "first": .spec.template.spec.containers[name="web"].image`
	if !apierrors.IsConflict(err) || err.Error() != wanted || !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) {
		t.Fatalf("another image: %v", err)
	}
	forced := must[*appsv1.Deployment](t)(apply(deployment(space, "web:2"), "second", true))
	mine := must[*applyapps.DeploymentApplyConfiguration](t)(applyapps.ExtractDeployment(forced, "first"))
	if image := mine.Spec.Template.Spec.Containers[0].Image; image != nil {
		t.Fatalf("first still owns the image %s", *image)
	}
	// What nobody applies any more goes; what the other applies too stays.
	mine = must[*applyapps.DeploymentApplyConfiguration](t)(applyapps.ExtractDeployment(forced, "second"))
	mine.Spec.Replicas = nil
	mine.WithAnnotations(map[string]string{"note": "here"})
	applied := must[*appsv1.Deployment](t)(apply(mine, "second", false))
	if *applied.Spec.Replicas != 2 || applied.Annotations["note"] != "here" {
		t.Fatalf("replicas %d, annotations %v", *applied.Spec.Replicas, applied.Annotations)
	}
	mine.Annotations = nil
	if applied = must[*appsv1.Deployment](t)(apply(mine, "second", false)); applied.Annotations["note"] != "" {
		t.Fatalf("annotations %v", applied.Annotations)
	}
	_, err = client.CoreV1().Pods(space).ApplyStatus(t.Context(), applycore.Pod("nobody", space).
		WithStatus(applycore.PodStatus().WithMessage("x")), metav1.ApplyOptions{FieldManager: "first"})
	if !apierrors.IsNotFound(err) {
		t.Fatalf("the status of a pod that is not there: %v", err)
	}
}

// warnings keeps what servers warn of.
type warnings struct{ texts []string }

func (w *warnings) HandleWarningHeader(_ int, _ string, text string) { w.texts = append(w.texts, text) }

func TestUnknownFieldsAreWarnedOfOrRefused(t *testing.T) {
	config := configure(t)
	said := &warnings{}
	config.WarningHandler = said
	client := must[*kubernetes.Clientset](t)(kubernetes.NewForConfig(config))
	space := namespace(t, client)
	post := func(validation string) error {
		return client.CoreV1().RESTClient().Post().Namespace(space).Resource("configmaps").
			Param("fieldValidation", validation).SetHeader("Content-Type", "application/json").
			Body([]byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"datas":{}}`)).
			Do(t.Context()).Error()
	}
	if err := post("Strict"); !apierrors.IsBadRequest(err) || !strings.Contains(err.Error(), `unknown field "datas"`) {
		t.Fatalf("strict: %v", err)
	}
	check(t, post("Warn"))
	if !slices.Contains(said.texts, `unknown field "datas"`) {
		t.Fatalf("warned: %q", said.texts)
	}
}
