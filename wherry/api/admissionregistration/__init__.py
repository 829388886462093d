"""admissionregistration.k8s.io: webhooks and policies that judge what is written."""
