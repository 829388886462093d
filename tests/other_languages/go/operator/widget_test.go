package operator

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var (
	api     client.Client
	cleaned = make(chan string, 10)
	// withControllers says whether the other controllers of a cluster run too.
	withControllers = os.Getenv("WHERRY_ENVTEST_CONTROLLERS") != ""
)

func definition() *apiextensionsv1.CustomResourceDefinition {
	open := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.org"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.org",
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Singular: "widget", Kind: "Widget"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Subresources: &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}},
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: &open,
				}},
			}},
		},
	}
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(zap.New(zap.WriteTo(os.Stderr)))
	began := time.Now()
	environment := &envtest.Environment{CRDs: []*apiextensionsv1.CustomResourceDefinition{definition()}}
	config, err := environment.Start()
	if err != nil {
		fmt.Println("starting:", err)
		return 1
	}
	fmt.Printf("started in %d ms\n", time.Since(began).Milliseconds())
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Println("stopping:", err)
		}
	}()
	manager, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		fmt.Println("manager:", err)
		return 1
	}
	if err := (&Reconciler{Client: manager.GetClient(), CleanedUp: cleaned}).SetUp(manager); err != nil {
		fmt.Println("controller:", err)
		return 1
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		if err := manager.Start(ctx); err != nil {
			fmt.Println("running:", err)
		}
	}()
	if api, err = client.New(config, client.Options{Scheme: scheme.Scheme}); err != nil {
		fmt.Println("client:", err)
		return 1
	}
	return m.Run()
}

func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if check() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

func create(t *testing.T, namespace, name string, size int64) *unstructured.Unstructured {
	t.Helper()
	widget := NewWidget()
	widget.SetName(name)
	widget.SetNamespace(namespace)
	if err := unstructured.SetNestedField(widget.Object, size, "spec", "size"); err != nil {
		t.Fatal(err)
	}
	if err := api.Create(t.Context(), widget); err != nil {
		t.Fatal(err)
	}
	return widget
}

func TestAWidgetGetsADeploymentOfItsSize(t *testing.T) {
	widget := create(t, "default", "one", 3)
	key := client.ObjectKeyFromObject(widget)
	deployment := &appsv1.Deployment{}
	eventually(t, "the Deployment", func() bool { return api.Get(t.Context(), key, deployment) == nil })
	if *deployment.Spec.Replicas != 3 || len(deployment.OwnerReferences) != 1 {
		t.Fatalf("replicas %d, owners %v", *deployment.Spec.Replicas, deployment.OwnerReferences)
	}
	eventually(t, "the status", func() bool {
		deployed, _, _ := unstructured.NestedInt64(read(t, key).Object, "status", "deployed")
		return deployed == 3
	})
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"size":5}}`))
	if err := api.Patch(t.Context(), read(t, key), patch); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new size", func() bool {
		return api.Get(t.Context(), key, deployment) == nil && *deployment.Spec.Replicas == 5
	})
}

func read(t *testing.T, key client.ObjectKey) *unstructured.Unstructured {
	t.Helper()
	widget := NewWidget()
	if err := api.Get(t.Context(), key, widget); err != nil {
		t.Fatal(err)
	}
	return widget
}

func TestADeletedWidgetIsCleanedUp(t *testing.T) {
	widget := create(t, "default", "two", 1)
	key := client.ObjectKeyFromObject(widget)
	eventually(t, "the finalizer", func() bool { return len(read(t, key).GetFinalizers()) == 1 })
	eventually(t, "the Deployment", func() bool { return api.Get(t.Context(), key, &appsv1.Deployment{}) == nil })
	if err := api.Delete(t.Context(), widget); err != nil {
		t.Fatal(err)
	}
	if name := <-cleaned; name != "two" {
		t.Fatalf("%s was cleaned up", name)
	}
	eventually(t, "the end", func() bool { return apierrors.IsNotFound(api.Get(t.Context(), key, NewWidget())) })
	if withControllers {
		eventually(t, "garbage collection", func() bool {
			return apierrors.IsNotFound(api.Get(t.Context(), key, &appsv1.Deployment{}))
		})
	}
}

func TestANamespaceGoesWithWhatIsInIt(t *testing.T) {
	if !withControllers {
		t.Skip("envtest alone has no namespace controller")
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	if err := api.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(create(t, "shop", "three", 2))
	eventually(t, "pods", func() bool {
		pods := &corev1.PodList{}
		return api.List(t.Context(), pods, client.InNamespace("shop")) == nil && len(pods.Items) == 2
	})
	if err := api.Delete(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace's end", func() bool {
		return apierrors.IsNotFound(api.Get(t.Context(), client.ObjectKeyFromObject(namespace), &corev1.Namespace{}))
	})
	if err := api.Get(t.Context(), key, NewWidget()); !apierrors.IsNotFound(err) {
		t.Fatalf("the Widget is still there: %v", err)
	}
}
