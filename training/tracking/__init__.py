"""What a training leaves in MLflow: figures, pictures, model card."""
