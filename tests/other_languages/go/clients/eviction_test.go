package clients

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

func TestEvictionKeepsToADisruptionBudget(t *testing.T) { evict(t, func() {}) }

func TestEvictionKeepsToADisruptionBudgetAcrossARestart(t *testing.T) {
	canRestart(t)
	evict(t, func() { restartServer(t) })
}

func evict(t *testing.T, meanwhile func()) {
	client := typed(t)
	space := namespace(t, client)
	labels := map[string]string{"app": "web"}
	replicas := int32(3)
	must[*appsv1.Deployment](t)(client.AppsV1().Deployments(space).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
			},
		},
	}, metav1.CreateOptions{}))
	least := intstr.FromInt32(3)
	budgets := client.PolicyV1().PodDisruptionBudgets(space)
	must[*policyv1.PodDisruptionBudget](t)(budgets.Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &least, Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}, metav1.CreateOptions{}))
	allows := func(count int32) func() bool {
		return func() bool {
			found, err := budgets.Get(t.Context(), "web", metav1.GetOptions{})
			return err == nil && found.Status.ObservedGeneration == found.Generation &&
				found.Status.CurrentHealthy == 3 && found.Status.DisruptionsAllowed == count
		}
	}
	eventually(t, "three healthy pods, none to spare", allows(0))
	pod := healthyPods(t, client, space)[0]
	asked := func(dry ...string) error {
		return client.PolicyV1().Evictions(space).Evict(t.Context(), &policyv1.Eviction{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: space}, DeleteOptions: &metav1.DeleteOptions{DryRun: dry},
		})
	}
	refused := func() {
		t.Helper()
		err := asked()
		wanted := "Cannot evict pod as it would violate the pod's disruption budget."
		if !apierrors.IsTooManyRequests(err) || !apierrors.HasStatusCause(err, policyv1.DisruptionBudgetCause) || err.Error() != wanted {
			t.Fatalf("a pod too many: %v", err)
		}
	}
	refused()
	meanwhile()
	refused()
	found := must[*policyv1.PodDisruptionBudget](t)(budgets.Get(t.Context(), "web", metav1.GetOptions{}))
	least = intstr.FromString("60%")
	found.Spec.MinAvailable = &least
	must[*policyv1.PodDisruptionBudget](t)(budgets.Update(t.Context(), found, metav1.UpdateOptions{}))
	eventually(t, "one to spare", allows(1))
	check(t, asked(metav1.DryRunAll))
	if _, err := client.CoreV1().Pods(space).Get(t.Context(), pod.Name, metav1.GetOptions{}); err != nil {
		t.Fatalf("a dry run took the pod: %v", err)
	}
	check(t, asked())
	eventually(t, "the pod is gone and replaced", func() bool {
		_, err := client.CoreV1().Pods(space).Get(t.Context(), pod.Name, metav1.GetOptions{})
		return apierrors.IsNotFound(err) && len(healthyPods(t, client, space)) == 3
	})
}

func healthyPods(t *testing.T, client kubernetes.Interface, space string) (healthy []corev1.Pod) {
	t.Helper()
	list := must[*corev1.PodList](t)(client.CoreV1().Pods(space).List(t.Context(), metav1.ListOptions{
		LabelSelector: "app=web", FieldSelector: "status.phase=Running",
	}))
	for _, pod := range list.Items {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil {
				healthy = append(healthy, pod)
			}
		}
	}
	return healthy
}
