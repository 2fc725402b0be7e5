"""Code that imports GDAL: imported in isolated children only."""
