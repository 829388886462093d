package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	watchtools "k8s.io/client-go/tools/watch"
)

func many(t *testing.T, client kubernetes.Interface, space string, count int) {
	t.Helper()
	for number := range count {
		made := configMap(fmt.Sprintf("item-%03d", number), nil)
		made.Labels = map[string]string{"set": "many"}
		create(t, client, space, made)
	}
}

func TestAListInPagesIsOneMoment(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	maps := client.CoreV1().ConfigMaps(space)
	many(t, client, space, 25)
	options := metav1.ListOptions{Limit: 10}
	var names, versions []string
	for {
		page := must[*corev1.ConfigMapList](t)(maps.List(t.Context(), options))
		for _, item := range page.Items {
			if item.Labels["set"] == "many" {
				names = append(names, item.Name)
			}
		}
		versions = append(versions, page.ResourceVersion)
		if options.Continue == "" {
			if page.RemainingItemCount == nil || *page.RemainingItemCount < 15 {
				t.Fatalf("remaining: %v", page.RemainingItemCount)
			}
			// What happens between pages is not seen.
			create(t, client, space, configMap("item-999", nil))
			check(t, maps.Delete(t.Context(), "item-024", metav1.DeleteOptions{}))
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	if len(names) != 25 || !slices.IsSorted(names) || names[24] != "item-024" {
		t.Fatalf("%d names: %v", len(names), names)
	}
	if len(slices.Compact(versions)) != 1 {
		t.Fatalf("pages of different moments: %v", versions)
	}
	_, err := maps.List(t.Context(), metav1.ListOptions{Limit: 10, Continue: "nonsense"})
	if !apierrors.IsBadRequest(err) {
		t.Fatalf("a token that is none: %v", err)
	}
}

func TestThePagerListsAll(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	many(t, client, space, 25)
	all := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return client.CoreV1().ConfigMaps(space).List(ctx, options)
	})
	all.PageSize = 7
	count := 0
	check(t, all.EachListItem(t.Context(), metav1.ListOptions{LabelSelector: "set=many"}, func(runtime.Object) error {
		count++
		return nil
	}))
	if count != 25 {
		t.Fatalf("%d of 25", count)
	}
}

func TestAWatchGoesOnFromAVersion(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	maps := client.CoreV1().ConfigMaps(space)
	first := create(t, client, space, configMap("one", nil))
	second := create(t, client, space, configMap("two", nil))
	check(t, maps.Delete(t.Context(), "one", metav1.DeleteOptions{}))
	read := func(version string, count int) (found []string) {
		watcher := must[watch.Interface](t)(maps.Watch(t.Context(), metav1.ListOptions{
			ResourceVersion: version, FieldSelector: "metadata.name!=kube-root-ca.crt",
		}))
		defer watcher.Stop()
		for range count {
			event := <-watcher.ResultChan()
			found = append(found, fmt.Sprintf("%s %s", event.Type, event.Object.(metav1.Object).GetName()))
		}
		return found
	}
	if found := read(first.ResourceVersion, 2); !slices.Equal(found, []string{"ADDED two", "DELETED one"}) {
		t.Fatalf("after the first: %v", found)
	}
	if found := read(second.ResourceVersion, 1); !slices.Equal(found, []string{"DELETED one"}) {
		t.Fatalf("after the second: %v", found)
	}
}

func TestARetryWatcherGoesOnAfterItsWatchEnds(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	maps := client.CoreV1().ConfigMaps(space)
	first := create(t, client, space, configMap("0", nil))
	var seconds int64 = 1
	opened := 0
	watcher := must[*watchtools.RetryWatcher](t)(watchtools.NewRetryWatcherWithContext(t.Context(), first.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			opened++
			options.TimeoutSeconds = &seconds
			options.FieldSelector = "metadata.name!=kube-root-ca.crt"
			return maps.Watch(ctx, options)
		},
	}))
	defer watcher.Stop()
	ticks := time.NewTicker(500 * time.Millisecond)
	defer ticks.Stop()
	for number := range 6 {
		<-ticks.C
		name := strconv.Itoa(number + 1)
		create(t, client, space, configMap(name, nil))
		event := <-watcher.ResultChan()
		if event.Type != watch.Added || event.Object.(metav1.Object).GetName() != name {
			t.Fatalf("%v instead of %s", event, name)
		}
	}
	watcher.Stop()
	<-watcher.Done()
	if opened < 2 {
		t.Fatal("the watch never ended")
	}
}

func TestBookmarksComeAtTheEndOfInitialEvents(t *testing.T) {
	client := typed(t)
	space := namespace(t, client)
	many(t, client, space, 3)
	streams := true
	watcher := must[watch.Interface](t)(client.CoreV1().ConfigMaps(space).Watch(t.Context(), metav1.ListOptions{
		SendInitialEvents: &streams, AllowWatchBookmarks: true, LabelSelector: "set=many",
		ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}))
	defer watcher.Stop()
	for count := 0; ; count++ {
		event := <-watcher.ResultChan()
		found, ok := event.Object.(*corev1.ConfigMap)
		if !ok {
			t.Fatalf("event: %v", event)
		}
		if event.Type == watch.Bookmark {
			if count != 3 || found.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
				t.Fatalf("after %d: %v", count, found)
			}
			return
		}
	}
}

func TestAVersionOfTheFutureIsRefused(t *testing.T) {
	client := typed(t)
	err := client.CoreV1().RESTClient().Get().Namespace("default").Resource("configmaps").
		Param("resourceVersion", "999999999").Param("resourceVersionMatch", "NotOlderThan").
		MaxRetries(0).Do(t.Context()).Error()
	if !apierrors.IsTimeout(err) || !apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
		t.Fatalf("a version that is not there yet: %v", err)
	}
}

func TestWhatIsForgottenIsAnswered410(t *testing.T) {
	canRestart(t)
	client := typed(t)
	space := namespace(t, client)
	maps := client.CoreV1().ConfigMaps(space)
	many(t, client, space, 12)
	old := create(t, client, space, configMap("one", nil))
	page := must[*corev1.ConfigMapList](t)(maps.List(t.Context(), metav1.ListOptions{Limit: 5, LabelSelector: "set=many"}))
	create(t, client, space, configMap("two", nil))
	restartServer(t)

	watcher, err := maps.Watch(t.Context(), metav1.ListOptions{ResourceVersion: old.ResourceVersion})
	if err == nil {
		event := <-watcher.ResultChan()
		watcher.Stop()
		err = apierrors.FromObject(event.Object)
	}
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("a watch from a forgotten version: %v", err)
	}
	retrying := must[*watchtools.RetryWatcher](t)(watchtools.NewRetryWatcherWithContext(
		t.Context(), old.ResourceVersion, &cache.ListWatch{WatchFuncWithContext: maps.Watch}))
	event := <-retrying.ResultChan()
	if status, ok := event.Object.(*metav1.Status); !ok || event.Type != watch.Error || status.Code != 410 {
		t.Fatalf("RetryWatcher: %v", event)
	}
	<-retrying.Done()

	options := metav1.ListOptions{Limit: 5, LabelSelector: "set=many", Continue: page.Continue}
	_, err = maps.List(t.Context(), options)
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("a page of a forgotten moment: %v", err)
	}
	// The token in the refusal goes on at the next name, in the present.
	var expired apierrors.APIStatus
	errors.As(err, &expired)
	if options.Continue = expired.Status().ListMeta.Continue; options.Continue == "" {
		t.Fatal("the refusal has no token to go on with")
	}
	rest := must[*corev1.ConfigMapList](t)(maps.List(t.Context(), options))
	if len(rest.Items) != 5 || rest.Items[0].Name != "item-005" {
		t.Fatalf("the rest: %v", rest.Items)
	}
	_, err = maps.List(t.Context(), metav1.ListOptions{
		ResourceVersion: old.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact, Limit: 1,
	})
	if !apierrors.IsResourceExpired(err) {
		t.Fatalf("a forgotten moment: %v", err)
	}
}
