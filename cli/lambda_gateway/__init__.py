"""An API Gateway HTTP API with Lambda behind it, on one machine: the template is read, each function runs in a process
of its own under the real runtime client."""
