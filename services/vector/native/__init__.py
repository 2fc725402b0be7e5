"""Code that imports OGR and PROJ: imported in isolated children only."""
