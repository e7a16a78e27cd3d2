"""What every room uses: files, samples, progress, texts, and TensorFlow imported quietly."""
