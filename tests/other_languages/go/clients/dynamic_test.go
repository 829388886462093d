package clients

import (
	"context"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
)

func gadgets() *apiextensionsv1.CustomResourceDefinition {
	number := apiextensionsv1.JSONSchemaProps{Type: "integer"}
	least := 0.0
	replicas := apiextensionsv1.JSONSchemaProps{Type: "integer", Minimum: &least, Default: &apiextensionsv1.JSON{Raw: []byte("1")}}
	object := func(properties map[string]apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "object", Properties: properties}
	}
	root := object(map[string]apiextensionsv1.JSONSchemaProps{
		"spec":   object(map[string]apiextensionsv1.JSONSchemaProps{"replicas": replicas}),
		"status": object(map[string]apiextensionsv1.JSONSchemaProps{"replicas": number}),
	})
	version := func(name string, isStored bool) apiextensionsv1.CustomResourceDefinitionVersion {
		return apiextensionsv1.CustomResourceDefinitionVersion{
			Name: name, Served: true, Storage: isStored,
			Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &root},
			Subresources: &apiextensionsv1.CustomResourceSubresources{
				Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
				Scale: &apiextensionsv1.CustomResourceSubresourceScale{
					SpecReplicasPath: ".spec.replicas", StatusReplicasPath: ".status.replicas",
				},
			},
		}
	}
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "gadgets.tools.example.org"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "tools.example.org", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{
				Plural: "gadgets", Singular: "gadget", Kind: "Gadget", ShortNames: []string{"gdg"}, Categories: []string{"toys"},
			},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{version("v1beta1", false), version("v1", true)},
		},
	}
}

// define makes the CRD, waits until it is served, and takes it away at the end.
func define(t *testing.T, config *rest.Config) {
	t.Helper()
	definitions := must[*apiextensions.Clientset](t)(apiextensions.NewForConfig(config)).ApiextensionsV1().CustomResourceDefinitions()
	made := must[*apiextensionsv1.CustomResourceDefinition](t)(definitions.Create(t.Context(), gadgets(), metav1.CreateOptions{}))
	t.Cleanup(func() {
		if err := definitions.Delete(context.Background(), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		eventually(t, "the CRD's end", func() bool {
			_, err := definitions.Get(context.Background(), made.Name, metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		})
	})
	eventually(t, "the CRD is established", func() bool {
		found, err := definitions.Get(t.Context(), made.Name, metav1.GetOptions{})
		return err == nil && slices.ContainsFunc(found.Status.Conditions, func(one apiextensionsv1.CustomResourceDefinitionCondition) bool {
			return one.Type == apiextensionsv1.Established && one.Status == apiextensionsv1.ConditionTrue
		})
	})
}

func gadget(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "tools.example.org/v1", "kind": "Gadget", "metadata": map[string]any{"name": name}, "spec": map[string]any{},
	}}
}

var resource = schema.GroupVersionResource{Group: "tools.example.org", Version: "v1", Resource: "gadgets"}

func TestDiscoveryAndRESTMapperFindACustomKind(t *testing.T) {
	config := configure(t)
	found := memory.NewMemCacheClient(must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(config)))
	deferred := restmapper.NewDeferredDiscoveryRESTMapper(found)
	mapper := restmapper.NewShortcutExpander(deferred, found, nil)
	kind := schema.GroupKind{Group: "tools.example.org", Kind: "Gadget"}
	if _, err := mapper.RESTMapping(kind); !meta.IsNoMatchError(err) {
		t.Fatalf("before the CRD: %v", err)
	}
	define(t, config)
	eventually(t, "the mapper knows it", func() bool {
		mapping, err := mapper.RESTMapping(kind)
		if err != nil {
			deferred.Reset()
			return false
		}
		return mapping.Resource == resource && mapping.Scope.Name() == meta.RESTScopeNameNamespace
	})
	for _, name := range []string{"gdg", "gadget", "gadgets"} {
		if one, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: name}); err != nil || one != resource {
			t.Errorf("%s is %v, %v", name, one, err)
		}
	}
	for short, wanted := range map[string]string{"po": "pods", "deploy": "deployments", "cm": "configmaps", "pdb": "poddisruptionbudgets"} {
		if one, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: short}); err != nil || one.Resource != wanted {
			t.Errorf("%s is %v, %v", short, one, err)
		}
	}
	// One for each version.
	toys, known := restmapper.NewDiscoveryCategoryExpander(found).Expand("toys")
	if !known || !slices.Equal(slices.Compact(toys), []schema.GroupResource{resource.GroupResource()}) {
		t.Errorf("toys are %v", toys)
	}
	lists := must[[]*metav1.APIResourceList](t)(found.ServerPreferredResources())
	if !slices.ContainsFunc(lists, func(one *metav1.APIResourceList) bool { return one.GroupVersion == "tools.example.org/v1" }) {
		t.Error("v1 is not the preferred version")
	}
	paths, err := found.OpenAPIV3().Paths()
	check(t, err)
	document := must[[]byte](t)(paths["apis/tools.example.org/v1"].Schema("application/json"))
	if !strings.Contains(string(document), `"org.example.tools.v1.Gadget"`) {
		t.Error("the OpenAPI document does not know Gadget")
	}
}

func TestTheDynamicClient(t *testing.T) {
	config := configure(t)
	define(t, config)
	space := namespace(t, typed(t))
	client := must[*dynamic.DynamicClient](t)(dynamic.NewForConfig(config))
	mine := client.Resource(resource).Namespace(space)

	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, space, nil)
	informer := factory.ForResource(resource)
	seen := newStory()
	must[cache.ResourceEventHandlerRegistration](t)(informer.Informer().AddEventHandler(seen.handler()))
	ctx, cancel := context.WithCancel(t.Context())
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	defer cancel()
	factory.WaitForCacheSync(ctx.Done())

	made := must[*unstructured.Unstructured](t)(mine.Create(t.Context(), gadget("one"), metav1.CreateOptions{}))
	if replicas, _, _ := unstructured.NestedInt64(made.Object, "spec", "replicas"); replicas != 1 {
		t.Fatalf("no default: %v", made.Object)
	}
	bad := gadget("bad")
	check(t, unstructured.SetNestedField(bad.Object, int64(-1), "spec", "replicas"))
	_, err := mine.Create(t.Context(), bad, metav1.CreateOptions{})
	// Once for the schema, once for the path of the scale.
	wanted := `Gadget.tools.example.org "bad" is invalid: [spec.replicas: Invalid value: -1: ` +
		`spec.replicas in body should be greater than or equal to 0, ` +
		`spec.replicas: Invalid value: -1: should be a non-negative integer]`
	if !apierrors.IsInvalid(err) || err.Error() != wanted {
		t.Fatalf("replicas below 0: %v", err)
	}
	check(t, unstructured.SetNestedField(made.Object, int64(4), "status", "replicas"))
	check(t, unstructured.SetNestedField(made.Object, int64(9), "spec", "replicas"))
	updated := must[*unstructured.Unstructured](t)(mine.UpdateStatus(t.Context(), made, metav1.UpdateOptions{}))
	if replicas, _, _ := unstructured.NestedInt64(updated.Object, "spec", "replicas"); replicas != 1 || updated.GetGeneration() != 1 {
		t.Fatalf("the status alone: %v", updated.Object)
	}
	applied := must[*unstructured.Unstructured](t)(mine.Apply(t.Context(), "two", gadget("two"), metav1.ApplyOptions{FieldManager: "me"}))
	if applied.GetManagedFields()[0].Manager != "me" {
		t.Fatalf("applied: %v", applied.Object)
	}
	old := must[*unstructured.Unstructured](t)(client.Resource(resource.GroupResource().WithVersion("v1beta1")).Namespace(space).
		Get(t.Context(), "one", metav1.GetOptions{}))
	if old.GetAPIVersion() != "tools.example.org/v1beta1" || old.GetUID() != made.GetUID() {
		t.Fatalf("as v1beta1: %v", old.Object)
	}
	eventually(t, "the informer has both", func() bool {
		cached, err := informer.Lister().ByNamespace(space).List(labels.Everything())
		return err == nil && len(cached) == 2 && seen.times(seen.updated, "one") == 1
	})
	check(t, mine.Delete(t.Context(), "two", metav1.DeleteOptions{}))
	eventually(t, "the informer forgets one", func() bool { return seen.times(seen.deleted, "two") == 1 })
	scaleIt(t, config, space)
	onlyMetadata(t, config, space)
}

func scaleIt(t *testing.T, config *rest.Config, space string) {
	found := must[*discovery.DiscoveryClient](t)(discovery.NewDiscoveryClientForConfig(config))
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	scaler := must[scale.ScalesGetter](t)(scale.NewForConfig(
		config, mapper, dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(found))).Scales(space)
	read, err := scaler.Get(t.Context(), resource.GroupResource(), "one", metav1.GetOptions{})
	check(t, err)
	if read.Spec.Replicas != 1 || read.Status.Replicas != 4 {
		t.Fatalf("scale: %v", read)
	}
	read.Spec.Replicas = 7
	if read, err = scaler.Update(t.Context(), resource.GroupResource(), read, metav1.UpdateOptions{}); err != nil || read.Spec.Replicas != 7 {
		t.Fatalf("scaled: %v, %v", read, err)
	}
	patched, err := scaler.Patch(t.Context(), resource, "one", types.MergePatchType, []byte(`{"spec":{"replicas":8}}`), metav1.PatchOptions{})
	if err != nil || patched.Spec.Replicas != 8 {
		t.Fatalf("patched: %v, %v", patched, err)
	}
}

func onlyMetadata(t *testing.T, config *rest.Config, space string) {
	config = rest.CopyConfig(config)
	heard := record(config)
	objects := must[metadata.Interface](t)(metadata.NewForConfig(config)).Resource(resource).Namespace(space)
	list := must[*metav1.PartialObjectMetadataList](t)(objects.List(t.Context(), metav1.ListOptions{}))
	if len(list.Items) != 1 || list.Items[0].Name != "one" || list.Items[0].Generation != 3 {
		t.Fatalf("metadata: %v", list.Items)
	}
	one := must[*metav1.PartialObjectMetadata](t)(objects.Patch(
		t.Context(), "one", types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{}))
	if one.Labels["a"] != "b" {
		t.Fatalf("labelled: %v", one)
	}
	for _, call := range heard.matching("gadgets") {
		if !strings.Contains(call.got, "protobuf") {
			t.Errorf("%s %s was answered in %s", call.method, call.url, call.got)
		}
	}
}
